// nginx as a plain reverse proxy that replaces the credentials.

export interface NginxOptions {
  readonly port: number;
  /** The scheme, host and port of the backend. */
  readonly origin: string;
  readonly credentials: Readonly<Record<string, string>>;
}

/** The configuration of nginx with one process, which keeps all its files in the prefix. */
export function nginxConfig({ port, origin, credentials }: NginxOptions): string {
  const replaced = Object.entries(credentials).map(([name, value]) => `proxy_set_header ${name} "${value}";`);
  return `
daemon off;
master_process off;
pid nginx.pid;
error_log error.log crit;
worker_rlimit_nofile 20000;
events { worker_connections 10000; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  client_max_body_size 128m;
  client_body_buffer_size 64k;
  upstream backend {
    server ${new URL(origin).host};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
  }
  map $http_upgrade $connection_header { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;
      ${replaced.join("\n      ")}
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 3600s;
    }
  }
}
`;
}
