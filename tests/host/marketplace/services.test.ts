import { afterEach, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"

let host: StreamHost | undefined
afterEach(() => host?.stop({ timeout: 0 }))

describe("in a service", () => {
  it("a sink whose writing fails is opened again, and goes on with the item that failed", async () => {
    const written: Array<unknown> = []
    let opened = 0
    let failures = 1
    host = await StreamHost.start()
    host.marketplace.register({
      id: "a:out",
      type: "sink",
      open: () => {
        opened++
        return {
          write: (item) => {
            if (item === 2 && failures-- > 0) throw new Error("connection lost")
            written.push(item)
          }
        }
      }
    })
    const service = await host.spawn('(let [s (stream-sink "a:out")] (stream-produce s :items [1 2 3] :mode :acked) (stream-close s))', {
      name: "writer",
      restart: "temporary"
    })
    await service.result
    expect(written).toEqual([1, 2, 3])
    expect(opened).toBe(2)
  })

  it("callbacks that fail are called again with the item, and with those behind it", async () => {
    const seen: Array<unknown> = []
    let failures = 1
    host = await StreamHost.start({
      bindings: {
        see: (x: unknown) => {
          if (x === 2 && failures-- > 0) throw new Error("not now")
          seen.push(x)
        }
      }
    })
    host.marketplace.register({ id: "a:b", type: "source", open: () => [1, 2, 3] })
    const service = await host.spawn('(stream-consume (stream-source "a:b") {:on-item (fn [x] (see x))})', { name: "reader", restart: "temporary" })
    await service.result
    expect(seen).toEqual([1, 2, 3])
  })
})
