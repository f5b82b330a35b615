import { expect, it } from "vitest"
import { Flow, keyword, StreamHost } from "rtfs-streams"

it("a flow is saved, bounded and brought down by methods of its own", async () => {
  const told: Array<unknown> = []
  const seen: Array<number> = []
  const flow = () =>
    Flow.from([1, 2, 3])
      .withCheckpointing({ streamId: "flow", checkpointStore: "memory", onCheckpoint: (checkpoint) => told.push(checkpoint["stream-id"]) })
      .memoryEfficient({ maxMemory: "8MB" })
      .gracefulShutdown({ shutdownTimeout: 1000, drainStrategy: "checkpoint-and-stop" })
      .forEach((n) => void seen.push(n))
  await using host = await StreamHost.start()
  await host.runFlow(flow())
  await host.runFlow(flow())
  expect(seen).toEqual([1, 2, 3])
  expect(told).toContain("flow")
})

it("a flow asks what is to become of what fails in it", async () => {
  await using host = await StreamHost.start()
  const fail = (n: number) => {
    if (n === 2) throw new Error("no")
    return n
  }
  const results: Array<unknown> = []
  for await (const result of host.stream(Flow.from([1, 2, 3]).map(fail).withRecovery(() => keyword("skip")))) results.push(result)
  expect(results).toEqual([[1, 3]])
})
