import { afterAll, describe, expect, it } from "vitest"
import { KafkaMock } from "../state/queues/KafkaMock.ts"
import { kafkaGroupRun } from "./kafkaGroupRuns.ts"

const mock = await KafkaMock.start()
const isHere = mock instanceof KafkaMock
afterAll(() => {
  if (isHere) mock.stop()
})

// With as many as one likes: node tests/drivers/kafkaGroups.ts
describe.skipIf(!isHere)(`consumers of a Kafka group${isHere ? "" : `: ${mock}`}`, () => {
  it("skip no message while consumers come, go and are killed, and acknowledge late and out of order", async () => {
    const report = await kafkaGroupRun({ mock: mock as KafkaMock, topic: "few", messages: 1500, partitions: 4, events: 3, seed: 3 })
    expect(report).toMatchObject({ lost: 0, failures: [] })
    expect(report.kills + report.leaves).toBeGreaterThan(0)
  }, 120_000)
})
