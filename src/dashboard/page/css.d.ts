// The bundler turns imported style sheets into the page's own.

declare module "*.css";
