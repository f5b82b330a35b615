import { spawnSync } from "node:child_process"
import { chownSync, chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { StreamHost } from "../../src/host/index.ts"
import { openStateStore } from "../../src/state/index.ts"
import { type ServerName, serverKinds } from "./serversKinds.ts"
import { missing, OwnServer, type Place, type ServerKind } from "./serversProcess.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-tls-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const openssl = (...args: ReadonlyArray<string>): void => {
  const { status, stderr } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" })
  if (status !== 0) throw new Error(`openssl failed: ${stderr}`)
}
const noOpenssl = spawnSync("openssl", ["version"]).error === undefined ? undefined : "openssl not installed"

// Two authorities; a certificate for the name localhost, and not for its address, is signed by the first.
if (noOpenssl === undefined) {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
  for (const name of ["ours", "other"])
    openssl("req", "-x509", ...key, "-days", "2", "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`)
  openssl("req", ...key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
  writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost")
  const signing = ["-CA", "ours.pem", "-CAkey", "ours.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
  openssl("x509", "-req", "-in", "server.csr", ...signing, "-out", "server.pem")
}

const password = "canary-password"

interface Encrypted {
  readonly scheme: string
  readonly path: string
  /** What makes the server speak TLS, and know the password. */
  readonly args: (place: Place) => ReadonlyArray<string>
  readonly program: string
  readonly result: unknown
  readonly isStore?: boolean
}

const query = (text: string) =>
  `(call :stream.await (call :stream.to-collection {:source (call :stream.db.query "${text}" {:connection :db-conn})}))`
const produce = { program: `(call :stream.await (call :stream.queue.produce "q" {:data-stream [1 2]}))`, result: { queue: "q", sent: 2 } }

const servers: Readonly<Record<ServerName, Encrypted>> = {
  postgres: {
    scheme: "postgres",
    path: "/postgres",
    args: (place) => ["-c", "ssl=on", "-c", `ssl_cert_file=${place.folder}/server.pem`, "-c", `ssl_key_file=${place.folder}/server.key`],
    program: query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
    result: [{ ssl: true }],
    isStore: true
  },
  mariadb: {
    scheme: "mysql",
    path: "/test",
    args: (place) => [
      `--ssl-cert=${place.folder}/server.pem`,
      `--ssl-key=${place.folder}/server.key`,
      "--require-secure-transport=ON",
      "--skip-grant-tables",
      "--skip-networking=OFF"
    ],
    program: query("SELECT 1 AS n"),
    result: [{ n: 1 }]
  },
  redis: {
    scheme: "rediss",
    path: "",
    args: ({ folder: at, port }) =>
      [
        `--tls-port ${port} --port 0 --tls-cert-file ${at}/server.pem --tls-key-file ${at}/server.key`,
        `--tls-auth-clients no --requirepass ${password}`
      ].flatMap((part) => part.split(" ")),
    ...produce,
    isStore: true
  },
  nats: {
    scheme: "tls",
    path: "",
    args: ({ folder: at }) => [
      "--tls",
      "--tlscert",
      `${at}/server.pem`,
      "--tlskey",
      `${at}/server.key`,
      "--user",
      "guest",
      "--pass",
      password
    ],
    ...produce
  },
  rabbitmq: { scheme: "amqps", path: "", args: () => [], ...produce }
}

const encrypted = (name: ServerName, probe: ServerKind["probe"]): ServerKind => {
  const kind: ServerKind = serverKinds[name]
  const { args, path, scheme } = servers[name]
  return {
    ...kind,
    prepare: (place) => {
      kind.prepare?.(place)
      for (const file of ["server.pem", "server.key"]) {
        const copy = join(place.folder, file)
        copyFileSync(join(folder, file), copy)
        chmodSync(copy, 0o600)
        if (place.as.uid !== undefined) chownSync(copy, place.as.uid, place.as.gid!)
      }
      if (name !== "rabbitmq") return
      const files = `ssl_options.certfile = ${place.folder}/server.pem\nssl_options.keyfile = ${place.folder}/server.key\n`
      const only = `listeners.tcp = none\nlisteners.ssl.local = 127.0.0.1:${place.port}\ndefault_user = root\ndefault_pass = ${password}\n`
      writeFileSync(join(place.folder, "rabbitmq.conf"), `${only}${files}`)
    },
    command: (place) => {
      const plain = kind.command(place)
      return { ...plain, args: [...plain.args, ...args(place)] }
    },
    url: (port) => `${scheme}://${userOf[name]}:${password}@localhost:${port}${path}`,
    probe
  }
}
const userOf: Readonly<Record<ServerName, string>> = {
  postgres: "postgres",
  mariadb: "root",
  redis: "default",
  nats: "guest",
  rabbitmq: "root"
}

for (const name of Object.keys(servers) as ReadonlyArray<ServerName>) {
  const lacks = noOpenssl ?? missing(serverKinds[name])
  const { isStore = false, program, result } = servers[name]
  const ofAuthority = (url: string, authority: string) => `${url}?ca=${encodeURIComponent(join(folder, authority))}`

  /** The value, or what failed, which tells nobody the password. */
  const run = async (url: string): Promise<unknown> => {
    const host = await StreamHost.start({
      connections: { "db-conn": url, queue: url },
      policy: { all: true },
      print: () => {},
      log: () => {}
    })
    try {
      return (await host.run(program)).value
    } catch (error) {
      const { cause, message, stack } = error as Error
      expect(JSON.stringify([error, message, stack, String(cause), cause, host.inspect()])).not.toContain(password)
      return message
    } finally {
      await host.stop({ timeout: 0 })
    }
  }
  const open = (url: string): Promise<string> =>
    Effect.runPromise(
      Effect.scoped(openStateStore(url)).pipe(
        Effect.map(({ kind }) => kind as string),
        Effect.catch(({ message }) => Effect.succeed(message))
      )
    )

  describe.skipIf(lacks !== undefined)(`${name} over TLS${lacks === undefined ? "" : ` (skipped: ${lacks})`}`, () => {
    it("is reached by the name in its certificate, signed by the authority of ?ca=, and by no other", async () => {
      const server = await OwnServer.start(
        encrypted(name, async (url) => {
          const found = await run(ofAuthority(url, "ours.pem"))
          if (typeof found === "string") throw new Error(found)
        })
      )
      try {
        const { url } = server
        const uses = isStore ? [run, open] : [run]
        for (const use of uses) {
          expect(await use(ofAuthority(url, "ours.pem"))).toEqual(use === open ? name : result)
          const unknown = [await use(ofAuthority(url, "other.pem")), await use(`${url}?ca=system`)]
          for (const message of unknown) expect(message).toMatch(/certificate that can't be trusted .*Name the authority .*\?ca=FILE/)
          const address = await use(ofAuthority(url.replace("localhost", "127.0.0.1"), "ours.pem"))
          expect(address).toMatch(/certificate that can't be trusted .*Write the host into the URL as the certificate has it/)
          expect(await use(ofAuthority(url, "server.key"))).toMatch(/can't be read .*Let \?ca= of its URL name a file of certificates/)
        }
      } finally {
        await server.remove()
      }
    }, 60_000)
  })
}
