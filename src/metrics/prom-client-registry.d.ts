// The part of prom-client that is used, which has no types of its own.
declare module "prom-client/lib/registry.js" {
  export { Registry as default } from "prom-client";
}
