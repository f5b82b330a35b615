import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { FakeSqs } from "../state/queues/FakeSqs.ts"

// Amazon SQS as programs see it, against a stand-in.

const before = { ...process.env }
beforeAll(() => void Object.assign(process.env, { AWS_ACCESS_KEY_ID: "AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY: "not-a-secret" }))
const fake = await FakeSqs.start()
afterAll(() => {
  process.env = before
  fake.stop()
})

const range = (count: number) => Array.from({ length: count }, (_, n) => n)
const connections = { queue: `sqs://eu-west-1?endpoint=${encodeURIComponent(fake.url)}` }

describe("queues of programs, SQS", () => {
  it("gives back what a program failed on, and keeps nothing that was worked off", async () => {
    fake.makeQueue("orders")
    const batches: Array<ReadonlyArray<number>> = []
    const acknowledged: Array<string> = []
    let isBroken = true
    const bindings = {
      data: range(120),
      work: (messages: ReadonlyArray<{ readonly body: number }>) => {
        if (isBroken && messages.some(({ body }) => body === 13)) throw new Error("no thirteen")
        batches.push(messages.map(({ body }) => body))
      },
      ack: (ids: ReadonlyArray<string>) => void acknowledged.push(...ids)
    }
    const consume = `(call :stream.queue.consume "orders" {:batch-size 4 :wait 1200 :on-ack ack :on-batch (fn [messages] (work messages))})`
    await using host = await StreamHost.start({ policy: { queue: ["*"] }, connections, bindings, log: () => {} })
    await host.run(`(call :stream.queue.produce "orders" {:data-stream data})`)
    await expect(host.run(consume)).rejects.toThrow("no thirteen")
    isBroken = false
    await host.run(consume)
    expect(new Set(batches.flat())).toEqual(new Set(range(120)))
    expect(new Set(acknowledged).size).toBe(120)
    expect(fake.depth("orders")).toBe(0)
  }, 20_000)

  it("gives what was produced to a FIFO queue in order, ten after ten", async () => {
    fake.makeQueue("steps.fifo")
    await using host = await StreamHost.start({ policy: { queue: ["*"] }, connections, bindings: { data: range(25) }, log: () => {} })
    await host.run(`(call :stream.queue.produce "steps.fifo" {:data-stream data})`)
    const { value } = await host.run(
      `(call :stream.await (call :stream.to-collection {:source (call :stream.queue.consume "steps.fifo" {:wait 2500})}))`
    )
    expect((value as ReadonlyArray<{ readonly body: number }>).map(({ body }) => body)).toEqual(range(25))
    expect(fake.depth("steps.fifo")).toBe(0)
  }, 20_000)
})
