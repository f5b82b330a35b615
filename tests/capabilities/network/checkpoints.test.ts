import { describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { bodyOf, serveHttp } from "./servers.ts"

let ordinal = 0

/** Two hosts on one store, the second after the first has crashed: it was stopped at once, when `seen` met `last`. */
const twoLives = async (
  program: string,
  last: number
): Promise<{ readonly first: Array<number>; readonly second: Array<number>; readonly failure: any }> => {
  const store = `memory:network-${++ordinal}`
  const first: Array<number> = []
  const second: Array<number> = []
  let crash!: () => void
  const crashed = new Promise<void>((resolve) => (crash = resolve))
  const slow = async (item: { readonly id: number }) => {
    first.push(item.id)
    if (item.id === last) {
      crash()
      await new Promise(() => {})
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
    return item
  }
  const host = await StreamHost.start({ store, policy: { all: true }, log: () => {}, bindings: { seen: slow } })
  const running = host.run(program).catch((error: unknown) => error)
  expect(await Promise.race([crashed, running])).toBe(undefined)
  await host.stop({ timeout: 0 })
  await running
  await using next = await StreamHost.start({
    store,
    policy: { all: true },
    log: () => {},
    bindings: { seen: (item: { readonly id: number }) => (second.push(item.id), item) }
  })
  const failure = await next.run(program).then(
    () => undefined,
    (error: unknown) => error
  )
  return { first, second, failure }
}

const body = Array.from({ length: 300 }, (_, id) => `{"id":${id}}\n`).join("")
const decorated = (source: string): string =>
  `(call :stream.with-checkpointing ${source} {:stream-id "s" :every-n-items 5 :checkpoint-interval 5})`

describe("checkpoints and the network", () => {
  it.each([
    ["a range", true],
    ["what is read again and skipped", false]
  ])("http.get goes on behind the last checkpoint, with %s", async (_, hasRanges) => {
    await using server = await serveHttp((request, response) => {
      const from = hasRanges ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0) : 0
      if (from === body.length) return response.writeHead(416, { "Content-Range": `bytes */${body.length}` }).end()
      response.writeHead(from > 0 ? 206 : 200, {
        ETag: '"v1"',
        ...(from > 0 ? { "Content-Range": `bytes ${from}-${body.length - 1}/${body.length}` } : {})
      })
      return response.end(body.slice(from))
    })
    const { failure, first, second } = await twoLives(
      `(call :stream.map ${decorated(`(call :stream.http.get "${server.url}" {:format :ndjson})`)} {:transform seen})`,
      150
    )
    expect(failure).toBe(undefined)
    expect(first.at(-1)).toBe(150)
    expect(second[0]).toBeLessThanOrEqual(150)
    expect(second).toEqual(Array.from({ length: 300 - second[0]! }, (_, index) => second[0]! + index))
    expect(server.requests.map(({ headers }) => headers["accept-encoding"])).toEqual(["identity", "identity"])
  })

  it("http.get refuses to go on where nobody can tell whether it is still the same", async () => {
    let left = 0
    await using server = await serveHttp((_, response) => {
      left++
      // A piece at a time, so that a checkpoint stands between two of them.
      let at = 0
      const push = (): void => {
        if (response.destroyed) return
        if (at >= body.length) return void response.end()
        response.write(body.slice(at, (at += 50)))
        setTimeout(push, 5)
      }
      push()
    })
    const { failure, second } = await twoLives(
      `(call :stream.map ${decorated(`(call :stream.http.get "${server.url}" {:format :ndjson})`)} {:transform seen})`,
      150
    )
    expect(second).toEqual([])
    expect(failure.message).toContain("no strong ETag")
    expect(left).toBe(1)
  })

  it("http.bulk-post sends each item, and a batch that it sends again has the same key and content", async () => {
    const posted: Array<{ readonly key: string; readonly ids: ReadonlyArray<number> }> = []
    await using server = await serveHttp(async (request, response) => {
      const ids = (JSON.parse(await bodyOf(request)) as ReadonlyArray<{ readonly id: number }>).map(({ id }) => id)
      posted.push({ key: request.headers["idempotency-key"] as string, ids })
      response.end()
    })
    const items = `(map (fn [id] {:id id}) (range 300))`
    const { failure } = await twoLives(
      `(call :stream.http.bulk-post "${server.url}" {:batch-size 7 :data-stream (call :stream.map ${decorated(items)} {:transform seen})})`,
      150
    )
    expect(failure).toBe(undefined)
    // As a peer that heeds the key takes them.
    const taken = new Map(posted.map(({ ids, key }) => [key, ids]))
    expect([...taken.values()].flat()).toEqual(Array.from({ length: 300 }, (_, id) => id))
    for (const { ids, key } of posted) expect(taken.get(key)).toEqual(ids)
  })
})
