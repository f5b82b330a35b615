import { spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { jetstreamManager } from "@nats-io/jetstream"
import { connect as connectNats } from "@nats-io/transport-node"
import amqplib from "amqplib"
import mysql from "mysql2/promise"
import pg from "pg"
import { withRedis } from "../state/withRedis.ts"
import { NotPrepared, type Place, type ServerKind } from "./serversProcess.ts"

const prepared = (program: string, args: ReadonlyArray<string>, { as, folder }: Place): void => {
  const { status, stderr, stdout } = spawnSync(program, args, { cwd: folder, encoding: "utf8", ...as })
  if (status !== 0) throw new NotPrepared(`${program} failed: ${stdout}${stderr}`)
}

/** Each keeps what it has confirmed, as docs/stores.md and docs/queues.md ask for, where not the machine is lost with it. */
export const serverKinds = {
  postgres: {
    name: "postgres",
    programs: ["postgres", "initdb"],
    user: "postgres",
    prepare: (place) =>
      prepared(place.program("initdb"), ["-D", join(place.folder, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"], place),
    command: ({ folder, port, program }) => ({
      program: program("postgres"),
      args: ["-D", join(folder, "data"), "-p", String(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    }),
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    probe: (url) => withPostgres(url, (client) => client.query("SELECT 1"))
  },
  mariadb: {
    name: "mariadb",
    programs: ["mariadbd", "mariadb-install-db"],
    user: "mysql",
    prepare: (place) => {
      const data = join(place.folder, "data")
      prepared(
        place.program("mariadb-install-db"),
        ["--no-defaults", `--datadir=${data}`, "--auth-root-authentication-method=normal", "--innodb-flush-log-at-trx-commit=2"],
        place
      )
    },
    command: ({ folder, port, program }) => ({
      program: program("mariadbd"),
      args: [
        "--no-defaults",
        `--datadir=${join(folder, "data")}`,
        `--port=${port}`,
        `--socket=${join(folder, "socket")}`,
        `--pid-file=${join(folder, "pid")}`,
        "--bind-address=127.0.0.1",
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-buffer-pool-size=32M",
        "--skip-log-bin"
      ]
    }),
    url: (port) => `mysql://root@127.0.0.1:${port}/test`,
    probe: (url) => withMySql(url, (connection) => connection.query("SELECT 1"))
  },
  redis: {
    name: "redis",
    programs: ["redis-server"],
    command: ({ folder, port, program }) => ({
      program: program("redis-server"),
      args: ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--appendfsync", "no", "--save", ""]
    }),
    url: (port) => `redis://127.0.0.1:${port}`,
    probe: (url) => withRedis(url, (client) => client.set("probe", "1"))
  },
  nats: {
    name: "nats",
    programs: ["nats-server"],
    command: ({ folder, port, program }) => ({
      program: program("nats-server"),
      args: ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", join(folder, "data")]
    }),
    url: (port) => `nats://127.0.0.1:${port}`,
    probe: async (url) => {
      const connection = await connectNats({ servers: new URL(url).host, timeout: 2000, reconnect: false })
      try {
        await jetstreamManager(connection)
      } finally {
        await connection.close()
      }
    }
  },
  rabbitmq: {
    name: "rabbitmq",
    // Without `epmd` the node would start one that outlives it.
    programs: ["rabbitmq-server", "epmd"],
    prepare: ({ folder, port }) => {
      for (const name of ["data", "logs"]) mkdirSync(join(folder, name))
      writeFileSync(join(folder, "rabbitmq.conf"), `listeners.tcp.local = 127.0.0.1:${port}\nvm_memory_high_watermark.absolute = 1GB\n`)
      writeFileSync(join(folder, "plugins"), "[].\n")
    },
    command: ({ folder, innerPort, port }) => ({
      program: "/usr/lib/rabbitmq/bin/rabbitmq-server",
      args: [],
      env: {
        RABBITMQ_NODENAME: `rtfs-streams-${port}@localhost`,
        RABBITMQ_DIST_PORT: String(innerPort),
        RABBITMQ_MNESIA_BASE: join(folder, "data"),
        RABBITMQ_LOG_BASE: join(folder, "logs"),
        RABBITMQ_PID_FILE: join(folder, "pid"),
        RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "plugins"),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 2:2 +sbwt none"
      }
    }),
    url: (port) => `amqp://guest:guest@127.0.0.1:${port}`,
    probe: async (url) => {
      const connection = await amqplib.connect(url, { timeout: 2000 })
      await connection.close()
    }
  }
} as const satisfies Readonly<Record<string, ServerKind>>

export type ServerName = keyof typeof serverKinds

export const withPostgres = async <A>(url: string, body: (client: pg.Client) => Promise<A>): Promise<A> => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  client.on("error", () => {})
  try {
    await client.connect()
    return await body(client)
  } finally {
    await client.end().catch(() => {})
  }
}

export const withMySql = async <A>(url: string, body: (connection: mysql.Connection) => Promise<A>): Promise<A> => {
  const connection = await mysql.createConnection({ uri: url, connectTimeout: 2000 })
  try {
    return await body(connection)
  } finally {
    connection.destroy()
  }
}

