import { Readable } from "node:stream"
import { setImmediate as nextTurn } from "node:timers/promises"
import { afterEach, describe, expect, it, vi } from "vitest"
import { Flow, type Handle, type HostOptions, StreamHost } from "rtfs-streams"

const hosts: Array<StreamHost> = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop({ timeout: 1000 })))
})

const noting = async (bindings: NonNullable<HostOptions["bindings"]>) => {
  const notes: Array<unknown> = []
  const host = await StreamHost.start({ bindings: { ...bindings, note: (value: unknown) => void notes.push(value) } })
  hosts.push(host)
  return { host, notes }
}

const program = "(call :stream.for-each items {:callback note})"

describe("an iterable of the host", () => {
  it("may be named as what a stream is made of", async () => {
    const { host } = await noting({ items: new Set([1, 2]).values() })
    expect(await host.eval("(call :stream.await (call :stream.to-collection (call :stream.from-iterable items)))")).toEqual([1, 2])
  })

  it("that was read by one stream says so to the next one, which would have nothing", async () => {
    async function* numbers() {
      yield* [1, 2]
    }
    for (const items of [numbers(), [1, 2].values(), Readable.from([1, 2]), ReadableStream.from([1, 2])]) {
      const { host, notes } = await noting({ items })
      await host.run(program)
      await expect(host.run(program)).rejects.toMatchObject({ _tag: "InvalidCall", message: expect.stringContaining("was read before") })
      expect(notes).toEqual([1, 2])
    }
  })

  it("of which the host itself has read a part gives the rest", async () => {
    const items = Readable.from([1, 2, 3])
    await new Promise((resolve) => items.once("readable", resolve))
    expect(items.read()).toBe(1)
    const { host, notes } = await noting({ items })
    await host.run(program)
    expect(notes).toEqual([2, 3])
  })

  it("that can't be opened is an invalid call", async () => {
    const strange = {
      get [Symbol.asyncIterator](): never {
        throw new Error("closed today")
      }
    }
    const { host } = await noting({ strange: () => strange, number: () => 5 })
    for (const [source, message] of [
      ["(call :stream.from-iterable (number) {:on-chunk note})", "needs an iterable of the host, but got 5"],
      ["(call :stream.from-iterable (strange) {:on-chunk note})", "closed today"]
    ]) {
      await expect(host.run(source!)).rejects.toMatchObject({ _tag: "InvalidCall", message: expect.stringContaining(message!) })
    }
  })

  it("that gives no results is a failure of its stream", async () => {
    const items = { [Symbol.asyncIterator]: () => ({ next: () => undefined }) }
    const { host } = await noting({ items })
    await expect(host.run(program)).rejects.toThrow("next()")
  })

  it("loses no item that it owed when its stream was paused", async () => {
    const owed: Array<(item: number) => void> = []
    async function* slow() {
      for (let n = 0; n < 3; n++) yield await new Promise<number>((resolve) => owed.push(resolve))
    }
    const { host, notes } = await noting({ items: slow() })
    const handle = (await host.eval(program)) as Handle
    for (let n = 0; n < 3; n++) {
      await vi.waitFor(() => expect(owed).toHaveLength(n + 1))
      await handle.pause()
      await nextTurn()
      owed[n]!(n)
      await nextTurn()
      await handle.resume()
    }
    await handle.result
    expect(notes).toEqual([0, 1, 2])
    expect((handle as unknown as { report: () => object }).report()).toMatchObject({ accepted: 3, processed: 3 })
  })

  it("that throws fails a flow", async () => {
    const { host } = await noting({})
    const broken = function* () {
      yield 1
      throw new Error("the feed broke")
    }
    await expect(host.runFlow(Flow.from(broken()))).rejects.toThrow("the feed broke")
  })
})
