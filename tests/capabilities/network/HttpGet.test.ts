import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import { collect, hostFor, serveBytes, serveHttp } from "./servers.ts"

const read = (url: string, options: string): string => `(call :stream.http.get ${JSON.stringify(url)} {${options}})`

const lines = (count: number): string => Array.from({ length: count }, (_, index) => `{"id":${index},"name":"Größe ${index}"}\n`).join("")

describe("stream.http.get", () => {
  it.each([
    [":ndjson", '{"a":1}\n{"a":2}\n', [{ a: 1 }, { a: 2 }]],
    [":json", '[{"a":1},2]', [{ a: 1 }, 2]],
    [":lines", "one\r\n\ntwo", ["one", "", "two"]],
    [":csv", "a,b\n1,2\n", [{ a: "1", b: "2" }]],
    [":text", "Größe", ["Größe"]],
    [":binary", "ab", [new Uint8Array([97, 98])]],
    [
      ":sse",
      ": hi\n\nevent: tick\nid: 7\ndata: a\ndata: b\n\nretry: 5\rdata:c\r\n\r\ndata: cut off",
      [
        { event: "tick", data: "a\nb", id: "7" },
        { event: "message", data: "c", id: "7" }
      ]
    ]
  ])("reads %s", async (format, body, expected) => {
    await using server = await serveHttp((_, response) => {
      response.setHeader("Content-Type", format === ":sse" ? "text/event-stream" : "text/plain")
      response.end(`${body}`)
    })
    await using host = await hostFor([server])
    expect(await collect(host, read(server.url, `:format ${format}`))).toEqual({ items: expected, failure: undefined })
  })

  it("gives chunks as they come, and cuts no character", async () => {
    const bytes = Buffer.from("aä€😀".repeat(3))
    await using server = await serveHttp(async (_, response) => {
      for (const byte of bytes) {
        response.write(Uint8Array.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.end()
    })
    await using host = await hostFor([server])
    const { items } = await collect(host, read(server.url, ""))
    expect(items.join("")).toBe(bytes.toString())
    expect(items.length).toBeGreaterThan(1)
  })

  it.each<[string, (body: string) => Buffer]>([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["deflate", deflateRawSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
    ["gzip, br", (body) => brotliCompressSync(gzipSync(body))]
  ])("undoes %s, and takes nothing cut off for its end", async (encoding, compress) => {
    const body = lines(4000)
    const compressed = compress(body)
    await using server = await serveHttp((request, response) => {
      response.setHeader("Content-Encoding", encoding)
      response.end(request.url === "/cut" ? compressed.subarray(0, compressed.length - 9) : compressed)
    })
    await using host = await hostFor([server])
    const whole = await collect(host, read(server.url, ":format :ndjson"))
    expect([whole.items.length, whole.failure]).toEqual([4000, undefined])
    expect(whole.items.at(-1)).toEqual({ id: 3999, name: "Größe 3999" })
    const cut = await collect(host, read(`${server.url}/cut`, ":format :ndjson :max-attempts 1"))
    expect(cut.failure).toMatchObject({ _tag: "NetworkFailure", message: expect.stringContaining("damaged or cut off") })
  })

  it.each<[string, string]>([
    ["a content that is shorter than its length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\none\ntwo\n"],
    ["a chunked body without its last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\none\ntwo\n\r\n"],
    ["a chunk that is cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\none\ntwo\n"]
  ])("fails on %s, after the items before", async (_, bytes) => {
    await using server = await serveBytes((socket) => socket.end(bytes))
    await using host = await hostFor([server])
    const { failure, items } = await collect(host, read(server.url, ":format :lines"))
    expect(items).toEqual(["one", "two"])
    expect(failure).toMatchObject({ _tag: "NetworkFailure", message: expect.stringContaining("ended before the answer did") })
    expect(server.connections()).toBe(1)
  })

  it("tries again as long as nothing came", async () => {
    await using server = await serveHttp((_, response, ordinal) => {
      if (ordinal === 1) return response.socket!.destroy()
      if (ordinal === 2) return response.writeHead(503, { "Retry-After": "0" }).end()
      return response.end("ok")
    })
    await using host = await hostFor([server])
    expect(await collect(host, read(server.url, ""))).toEqual({ items: ["ok"], failure: undefined })
    expect(server.requests.length).toBe(3)
  })

  it("does not try what no repetition helps, nor more often than it was told", async () => {
    await using server = await serveHttp((request, response) => response.writeHead(request.url!.startsWith("/no") ? 404 : 500).end())
    await using host = await hostFor([server])
    expect((await collect(host, read(`${server.url}/no?key=1`, ""))).failure).toMatchObject({
      status: 404,
      message: expect.not.stringContaining("key")
    })
    expect(server.requests.length).toBe(1)
    expect((await collect(host, read(server.url, ":max-attempts 2"))).failure).toMatchObject({ status: 500 })
    expect(server.requests.length).toBe(3)
  })

  it.each([
    ["by a range", true],
    ["from the start, where the peer knows no ranges", false]
  ])("goes on behind what it has, %s", async (_, hasRanges) => {
    const body = lines(30_000)
    await using server = await serveHttp((request, response, ordinal) => {
      const from = hasRanges ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0) : 0
      const bytes = Buffer.from(body)
      response.writeHead(from > 0 ? 206 : 200, {
        ETag: '"v1"',
        "Content-Length": bytes.length - from,
        ...(from > 0 ? { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {})
      })
      if (ordinal === 3) return response.end(bytes.subarray(from))
      return response.write(bytes.subarray(from, Math.floor((bytes.length * ordinal) / 3)), () => setTimeout(() => response.destroy(), 20))
    })
    await using host = await hostFor([server])
    const { failure, items } = await collect(host, read(server.url, ":format :ndjson"))
    expect(failure).toBe(undefined)
    expect(items.map((item) => (item as { id: number }).id)).toEqual(Array.from({ length: 30_000 }, (_, id) => id))
    expect(server.requests.map(({ headers }) => headers["if-range"])).toEqual([undefined, '"v1"', '"v1"'])
  })

  it("refuses to go on with another version", async () => {
    await using server = await serveHttp((_, response, ordinal) => {
      response.writeHead(200, { ETag: `"v${ordinal}"`, "Content-Length": 100 })
      response.write("one\n", () => setTimeout(() => response.destroy(), 20))
    })
    await using host = await hostFor([server])
    const { failure, items } = await collect(host, read(server.url, ":format :lines"))
    expect([items, failure.message]).toEqual([["one"], expect.stringContaining("it has changed since")])
  })

  it("goes on with events by the last id, and ends when the peer ends them", async () => {
    await using server = await serveHttp((request, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      const next = Number(request.headers["last-event-id"] ?? 0) + 1
      response.write(`retry: 1\nid: ${next}\ndata: ${next}\n\n`, () =>
        setTimeout(() => (next === 3 ? response.end() : response.destroy()), 20)
      )
    })
    await using host = await hostFor([server])
    const { failure, items } = await collect(host, read(server.url, ":format :sse"))
    expect([items.map((item) => (item as { data: string }).data), failure]).toEqual([["1", "2", "3"], undefined])
  })

  it("reads no more than a slow consumer takes", async () => {
    let written = 0
    const block = Buffer.alloc(64 * 1024, "0123456789abcde\n")
    await using server = await serveHttp((_, response) => {
      const push = () => {
        while (written < 200 * 1024 * 1024 && !response.destroyed) {
          written += block.length
          if (!response.write(block)) return void response.once("drain", push)
        }
      }
      push()
    })
    await using host = await hostFor([server])
    let seen = 0
    const taken = new Promise<void>((resolve) => {
      void host
        .run(read(server.url, ":format :lines"), {
          onItem: () => {
            if (++seen === 5) resolve()
            return seen < 5 ? undefined : new Promise(() => {})
          }
        })
        .catch(() => {})
    })
    await taken
    // Until nothing moves any more: the kernel's buffers on both sides fill up first.
    for (let before = -1; before !== written;) {
      before = written
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    expect(written).toBeLessThan(16 * 1024 * 1024)
    await host.stop({ timeout: 0 })
  })

  it("sends headers and secrets, and shows no secret to anybody", async () => {
    await using server = await serveHttp((request, response) =>
      response.writeHead(request.url?.startsWith("/echo") === true ? 200 : 401).end(request.headers.authorization)
    )
    await using host = await hostFor([server], { policy: { net: ["127.0.0.1:*"] }, secrets: { TOKEN: "s3cr3t-canary/?" } })
    const headers = ':headers {"Authorization" "Bearer {{secret:TOKEN}}" "X-Plain" "1"}'
    const { failure } = await collect(host, read(`${server.url}/no?key={{secret:TOKEN}}`, headers))
    expect(server.requests[0]!.headers).toMatchObject({ authorization: "Bearer s3cr3t-canary/?", "x-plain": "1" })
    expect(server.requests[0]!.url).toBe("/no?key=s3cr3t-canary%2F%3F")
    for (let cause = failure; cause !== undefined; cause = cause.cause) {
      expect(`${cause.message} ${cause.stack} ${JSON.stringify(cause)} ${JSON.stringify(cause.data)}`).not.toContain("s3cr3t")
    }
    for (const path of ["{{secret:TOKEN}}/refused", "{{secret:TOKEN}}"]) {
      const gone = await collect(host, read(`http://127.0.0.1:1/${path}`, ":max-attempts 1"))
      expect(gone.failure.message).toContain("{{secret:TOKEN}}")
      expect(gone.failure.message).not.toContain("s3cr3t")
    }
    expect(JSON.stringify(host.inspect())).not.toContain("s3cr3t")
    expect((await collect(host, read(server.url, ':headers {"A" "{{secret:OTHER}}"}'))).failure.message).toContain('no secret "OTHER"')
  })

  it.each([
    ['{"X-A" "a\\r\\nX-B: b"}', "can't hold"],
    ['{"X A" "a"}', "can't be one"],
    ['{"Host" "b"}', "connection itself decides"],
    ['{"X-A" "a" "x-a" "b"}', "twice"]
  ])("refuses the headers %s", async (headers, why) => {
    await using host = await hostFor([], { policy: { all: true } })
    await expect(host.run(read("http://127.0.0.1:1", `:headers ${headers}`))).rejects.toThrow(why)
  })

  it("calls :on-end once, after the last item", async () => {
    await using server = await serveHttp((_, response) => response.end("one\ntwo\n"))
    const printed: Array<string> = []
    await using host = await hostFor([server], { policy: { net: [`localhost:${server.port}`] }, print: (line) => void printed.push(line) })
    await host.run(
      read(`http://localhost:${server.port}`, ':format :lines :on-data (fn [line] (println line)) :on-end (fn [] (println "end"))')
    )
    expect(printed).toEqual(["one", "two", "end"])
  })

  it("closes its connection when the stream is cancelled", async () => {
    await using server = await serveHttp((_, response) => response.write("one\n"))
    const host = await hostFor([server])
    const run = collect(host, read(server.url, ":format :lines"))
    while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const closed = new Promise((resolve) => server.requests[0]!.socket.on("close", resolve))
    await host.stop({ timeout: 0 })
    await closed
    await run
  })
})
