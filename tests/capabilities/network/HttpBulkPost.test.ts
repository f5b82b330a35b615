import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams/effect"
import { exitStatusOf } from "../../../src/cli/exitStatus.ts"
import { pass, settle } from "../timedHost.ts"
import { bodyOf, collect, hostFor, serveHttp } from "./servers.ts"

const numbers = (count: number) => `[${Array.from({ length: count }, (_, index) => index).join(" ")}]`
const post = (url: string, options: string): string =>
  `(call :stream.await (call :stream.http.bulk-post ${JSON.stringify(url)} {${options}}))`
const quick = ":base-delay 1 :max-delay 1"

describe("stream.http.bulk-post", () => {
  it("posts batches in order, the last one short, each with a key of its own", async () => {
    const bodies: Array<unknown> = []
    await using server = await serveHttp(async (request, response) => {
      bodies.push(JSON.parse(await bodyOf(request)))
      response.setHeader("Content-Type", "application/json")
      response.end('{"ok":true}')
    })
    const told: Array<unknown> = []
    await using host = await hostFor([server], { bindings: { told: (answer: unknown) => void told.push(answer) } })
    const value = await host.eval(post(server.url, `:data-stream ${numbers(7)} :batch-size 3 :on-success told :headers {"X-A" "1"}`))
    expect(bodies).toEqual([[0, 1, 2], [3, 4, 5], [6]])
    expect(value).toEqual({ batches: 3, items: 7, failed: 0, retries: 0 })
    expect(told).toEqual([3, 3, 1].map((items) => ({ status: 200, body: { ok: true }, items })))
    expect(new Set(server.requests.map(({ headers }) => headers["idempotency-key"])).size).toBe(3)
    expect(server.requests[0]!.headers).toMatchObject({ "content-type": "application/json", "x-a": "1" })
  })

  it("writes a value a line as :ndjson, and asks nobody for an empty stream", async () => {
    const bodies: Array<string> = []
    await using server = await serveHttp(async (request, response) => {
      bodies.push(await bodyOf(request))
      response.end()
    })
    await using host = await hostFor([server])
    await host.eval(post(server.url, ":data-stream [{:a :b} nil] :format :ndjson"))
    await host.eval(post(server.url, ":data-stream []"))
    expect(bodies).toEqual(['{"a":":b"}\nnull\n'])
  })

  it("tries again with the same key, and hands a batch to :on-error once after the last attempt", async () => {
    await using server = await serveHttp(async (request, response, ordinal) => {
      const body = await bodyOf(request)
      if (ordinal === 1) return response.socket!.destroy()
      return response.writeHead(body === "[2,3]" ? 503 : 200).end("busy")
    })
    const told: Array<unknown> = []
    await using host = await hostFor([server], { bindings: { told: (...args: ReadonlyArray<unknown>) => void told.push(args) } })
    const value = await host.eval(
      post(server.url, `:data-stream ${numbers(5)} :batch-size 2 :retry-policy {:max-attempts 3 ${quick}} :on-error told`)
    )
    expect(value).toEqual({ batches: 3, items: 5, failed: 2, retries: 3 })
    expect(told).toEqual([[expect.objectContaining({ data: expect.objectContaining({ status: 503, body: "busy" }) }), [2, 3]]])
    const keys = server.requests.map(({ headers }) => headers["idempotency-key"])
    expect(keys[0]).toBe(keys[1])
    expect(new Set(keys.slice(2, 5)).size).toBe(1)
    expect(new Set(keys).size).toBe(3)
  })

  it("does not try again what the peer refuses, and without :on-error fails with it", async () => {
    await using server = await serveHttp((_, response) => response.writeHead(400).end("no such field"))
    await using host = await hostFor([server])
    const { failure } = await collect(host, `(call :stream.http.bulk-post "${server.url}" {:data-stream ${numbers(5)} :batch-size 2})`)
    expect(failure.cause).toMatchObject({ _tag: "NetworkFailure", status: 400, data: { body: "no such field" } })
    expect(exitStatusOf(failure)).toBe(69)
    expect(server.requests.length).toBe(1)
  })

  it("shows no secret that the peer gives back in its failure", async () => {
    await using server = await serveHttp((request, response) => response.writeHead(403).end(`not for ${request.headers.authorization}`))
    await using host = await hostFor([server], { secrets: { TOKEN: "canary-token" } })
    const { failure } = await collect(host, post(server.url, ':data-stream [1] :headers {"Authorization" "{{secret:TOKEN}}"}'))
    expect(failure.cause.cause?.data ?? failure.cause.data).toMatchObject({ body: "not for {{secret:TOKEN}}" })
  })

  it("sends only those items again that failed for now, and gives up on those that failed for good", async () => {
    const bodies: Array<Array<number>> = []
    await using server = await serveHttp(async (request, response, ordinal) => {
      bodies.push(JSON.parse(await bodyOf(request)) as Array<number>)
      response.writeHead(207, { "Content-Type": "application/json" })
      response.end(
        JSON.stringify({ items: bodies.at(-1)!.map((item) => ({ status: ordinal > 1 || item % 2 === 0 ? 201 : item === 3 ? 422 : 429 })) })
      )
    })
    const told: Array<unknown> = []
    await using host = await hostFor([server], {
      bindings: { told: (error: { data: { status: number } }, batch: unknown) => void told.push([error.data.status, batch]) }
    })
    const value = await host.eval(post(server.url, `:data-stream ${numbers(6)} :retry-policy {${quick}} :on-error told`))
    expect(bodies).toEqual([
      [0, 1, 2, 3, 4, 5],
      [1, 5]
    ])
    expect(told).toEqual([[422, [3]]])
    expect(value).toEqual({ batches: 1, items: 6, failed: 1, retries: 1 })
  })

  it("fails an item that JSON has no form for alone", async () => {
    const bodies: Array<string> = []
    await using server = await serveHttp(async (request, response) => {
      bodies.push(await bodyOf(request))
      response.end()
    })
    await using host = await hostFor([server])
    await host.eval(post(server.url, ":data-stream [1 ##NaN 2] :on-failure :skip"))
    expect(bodies).toEqual(["[1,2]"])
  })

  it("puts the items of a batch aside that nobody takes, one by one, and goes on", async () => {
    await using server = await serveHttp(async (request, response) =>
      response.writeHead((await bodyOf(request)) === "[2,3]" ? 400 : 200).end()
    )
    await using host = await hostFor([server])
    const report = await host.run(post(server.url, `:data-stream ${numbers(5)} :batch-size 2 :on-failure :dead-letter`))
    expect(report).toMatchObject({ deadLettered: 2, processed: 3, value: { batches: 3, items: 5, failed: 2, retries: 0 } })
    expect(server.requests.length).toBe(3)
  })

  it("refuses a retry policy that means nothing", async () => {
    await using host = await hostFor([], { policy: { all: true } })
    const call = (policy: string) => host.eval(post("http://127.0.0.1:1", `:data-stream [] :retry-policy ${policy}`))
    await expect(call("{:attempts 3}")).rejects.toThrow("has no :attempts")
    await expect(call("{:backoff :random}")).rejects.toThrow(":exponential, :linear or :constant")
    await expect(call("{:max-attempts 0}")).rejects.toThrow("at least 1")
  })

  it("sends a batch that does not fill after :batch-timeout, and fails the stream if nobody takes it", () =>
    Effect.gen(function* () {
      let status = 200
      const bodies: Array<string> = []
      const server = yield* Effect.acquireRelease(
        Effect.promise(() =>
          serveHttp(async (request, response) => {
            bodies.push(await bodyOf(request))
            response.writeHead(status).end()
          })
        ),
        (made) => Effect.promise(() => made[Symbol.asyncDispose]())
      )
      const host = yield* StreamHost
      const run = yield* Effect.forkChild(
        Effect.result(
          host.run(
            `(call :stream.http.bulk-post "${server.url}" {:data-stream (call :stream.periodic {:interval 700 :generator (fn [] 1)}) :batch-timeout 1000 :batch-size 10})`
          )
        )
      )
      const until = (isReached: () => boolean) =>
        Effect.gen(function* () {
          while (!isReached()) yield* settle
        })
      yield* pass(1700, 100)
      yield* until(() => bodies.length === 1)
      expect(bodies).toEqual(["[1,1]"])
      status = 400
      yield* pass(1700, 100)
      yield* until(() => bodies.length === 2)
      yield* pass(100)
      const outcome = yield* Effect.promise(async () => run.pollUnsafe())
      expect(outcome === undefined ? "runs" : "ended").toBe("ended")
    }).pipe(
      Effect.scoped,
      Effect.provide(StreamHost.layer({ policy: { all: true }, log: () => {} })),
      Effect.provide(TestClock.layer()),
      Effect.runPromise
    ))
})
