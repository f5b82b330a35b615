import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { type HostOptions, StreamHost } from "rtfs-streams"
import { bodyOf, serveHttp } from "../capabilities/network/servers.ts"
import { guardedBy, json, serveAuthority } from "../capabilities/mcp/oauthServers.ts"

/** Each secret has it in it, also where a URL or a header has the secret in another form. */
const canary = /canary|Y2FuYXJ5|63616e617279/i
const inUrl = encodeURIComponent("canary p@ss:1")

let folder: string
/** Everything that came out of the process. */
let told: Array<string>
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rtfs-streams-canary-"))
  told = []
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, "write").mockImplementation((chunk) => told.push(String(chunk)) > 0)
  for (const name of ["log", "info", "warn", "error", "debug"] as const)
    vi.spyOn(console, name).mockImplementation((...parts) => void told.push(inspect(parts, { depth: 20 })))
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs programs, and gives all that anybody can see of them afterwards. */
const seenOf = async (options: HostOptions, programs: ReadonlyArray<string>, { isCaught = true } = {}) => {
  const host = await StreamHost.start({
    policy: { all: true },
    dataDir: folder,
    log: (line) => void told.push(line),
    print: (line) => void told.push(line),
    ...options
  })
  const failures: Array<string> = []
  for (const program of programs) {
    const failure: unknown = await host.run(program).then(
      (report) => void told.push(inspect(report, { depth: 20 })),
      (error: unknown) => error
    )
    if (failure === undefined) continue
    const { render } = failure as { readonly render?: () => string }
    failures.push(String(failure))
    told.push(inspect(failure, { depth: 20, showHidden: true }), JSON.stringify(failure), render?.call(failure) ?? "")
    // What a program can make of it.
    if (!isCaught) continue
    told.push(
      inspect(await host.eval(`(try (call :stream.await ${program}) (catch error error))`).catch((error: unknown) => error), { depth: 20 })
    )
  }
  told.push(inspect(host.inspect(), { depth: 20 }), inspect(await host.deadLetters.list(), { depth: 20 }))
  await host.stop()
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => statSync(join(folder, name)).isFile())
  return { failures, files, text: told.join("\n") }
}

const expectNoneIn = (files: ReadonlyArray<string>): void => {
  for (const name of files) expect(canary.test(readFileSync(join(folder, name), "latin1")), name).toBe(false)
}

const field = (kind: string, text: string) => `${kind}${text}\0`
const ofPostgres = (kind: string, body: Buffer) => {
  const head = Buffer.from(`${kind}\0\0\0\0`)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** By scheme: what a server greets with, and how it says back what it has heard. */
const parrots: Readonly<
  Record<string, { readonly greeting?: string; readonly answer: (heard: Buffer, ordinal: number) => string | Buffer }>
> = {
  postgres: {
    answer: (heard, ordinal) =>
      ordinal === 1
        ? ofPostgres("R", Buffer.from([0, 0, 0, 3]))
        : ofPostgres(
            "E",
            Buffer.from(
              `${field("S", "ERROR")}${field("C", "28P01")}${field("M", `no ${heard.toString("latin1", 5, heard.length - 1)}`)}\0`
            )
          )
  },
  redis: { answer: (heard) => `-ERR ${heard.toString().replaceAll("\r\n", " ")}\r\n`.repeat(4) },
  nats: {
    greeting: `INFO {"server_id":"a","version":"2.10.0","max_payload":1048576,"proto":1,"headers":true,"auth_required":true}\r\n`,
    answer: (heard) => `-ERR 'Authorization Violation: ${heard.toString().replaceAll(/[\r\n']/g, " ")}'\r\n`
  },
  amqp: { answer: (heard) => heard },
  kafka: { answer: (heard) => heard }
}

const parrot = async (scheme: string) => {
  const { answer, greeting } = parrots[scheme]!
  let heard = 0
  const server = createServer((socket) => {
    let ordinal = 0
    socket.on("error", () => {})
    if (greeting !== undefined) socket.write(greeting)
    socket.on("data", (bytes) => {
      if (bytes.includes("canary")) heard++
      socket.write(answer(bytes, ++ordinal))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return { port, heard: () => heard, [Symbol.asyncDispose]: async () => void server.close() }
}

const programFor = (kind: string): string =>
  kind === "queue"
    ? '(call :stream.queue.produce "q" {:connection :there :data-stream [1]})'
    : '(call :stream.db.query "SELECT 1" {:connection :there})'

describe("no secret is seen", () => {
  it.each([
    ["postgres", "/db", "db.query", true, `ana:${inUrl}`],
    ["redis", "", "queue", true, `ana:${inUrl}`],
    ["nats", "", "queue", true, `ana:${inUrl}`],
    ["nats", "", "queue", true, inUrl],
    ["amqp", "", "queue", false, `ana:${inUrl}`],
    ["kafka", "", "queue", false, `ana:${inUrl}`]
  ] as const)("of the URL of a server that says back what it hears: %s", async (scheme, path, kind, hears, user) => {
    await using server = await parrot(scheme)
    const url = `${scheme}://${user}@127.0.0.1:${server.port}${path}`
    const { failures, files, text } = await seenOf({ connections: { there: url } }, [programFor(kind)], { isCaught: false })
    expect(failures).toHaveLength(1)
    expect(server.heard() > 0).toBe(hears)
    expect(text).not.toMatch(canary)
    expectNoneIn(files)
  })

  it.each([
    ["postgres", "/db", "db.query"],
    ["mysql", "/db", "db.query"],
    ["redis", "", "queue"],
    ["nats", "", "queue"],
    ["amqp", "", "queue"],
    ["kafka", "", "queue"]
  ])("of the URL of a server that is not there: %s", async (scheme, path, kind) => {
    const url = `${scheme}://ana:${inUrl}@127.0.0.1:1${path}`
    const { failures, files, text } = await seenOf({ connections: { there: url } }, [programFor(kind)], { isCaught: false })
    expect(failures).toHaveLength(1)
    expect(text).not.toMatch(canary)
    expectNoneIn(files)
  })

  it("of a program's, where the server says it back: in failures, dead letters, checkpoints, logs", async () => {
    await using server = await serveHttp(async (request, response) => {
      const said = `${String(request.headers["x-key"])} ${await bodyOf(request)}`
      response.writeHead(request.method === "GET" ? 200 : 422, `no ${said.slice(0, 12)}`, { "Content-Type": "text/plain", "X-Said": said })
      response.end(request.method === "GET" ? "1\n2\n" : said)
    })
    const headers = ':headers {"X-Key" "{{secret:KEY}}"}'
    const post = (more: string) => `(call :stream.http.bulk-post "${server.url}" {:data-stream [1] ${headers} ${more}})`
    const { failures, files, text } = await seenOf({ secrets: { KEY: "canary-key" } }, [
      post(":on-failure :dead-letter"),
      post(""),
      `(call :stream.with-checkpointing (call :stream.http.get "${server.url}" {:format :lines ${headers}}) {:stream-id "kept" :every-n-items 1})`,
      `(call :stream.with-checkpointing (call :stream.http.get "${server.url}" {:format :json ${headers}}) {:stream-id "failed" :every-n-items 1})`,
      '(call :stream.map ["{{secret:KEY}}"] {:transform (fn [x] (throw {:item x})) :on-failure :dead-letter})'
    ])
    expect(server.requests.map(({ headers }) => headers["x-key"])).toContain("canary-key")
    expect(failures.length).toBeGreaterThan(0)
    expect(text).not.toMatch(canary)
    expectNoneIn(files)
  })

  it("of an authorization, outside of the file that is for them", async () => {
    await using authority = await serveAuthority()
    let isRefused = false
    authority.rules.token = (form, response) =>
      isRefused
        ? json(response, 400, { error: "invalid_request", error_description: `no canary-access, no ${JSON.stringify(form)}` })
        : json(response, 200, { access_token: "canary-access", token_type: "Bearer", refresh_token: "canary-refresh" })
    await using server = await guardedBy(authority, { isValid: (token) => token === "canary-access" && !isRefused })
    const options: HostOptions = {
      mcpServers: {
        weather: {
          url: server.mcp,
          auth: { type: "client-credentials", clientId: "rtfs", clientSecret: "{{secret:CLIENT}}", issuer: authority.url }
        }
      },
      secrets: { CLIENT: "canary-client" }
    }
    const count =
      '(call :stream.map (mcp-stream {:server "weather" :tool "weather.count"} {:count 2} (fn [n _ _] {:state (inc n)}) 0) {:transform (fn [x] x)})'
    const first = await seenOf(options, [count])
    expect(first.failures).toEqual([])
    isRefused = true
    const second = await seenOf(options, [count])
    expect(second.failures).toHaveLength(1)
    expect(second.text).not.toMatch(canary)
    const kept = join("authorization", "weather.json")
    expect(canary.test(readFileSync(join(folder, kept), "utf8"))).toBe(true)
    expectNoneIn(second.files.filter((name) => name !== kept))
  })
})
