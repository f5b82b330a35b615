// Consumers of one Kafka group come, go and are killed while messages are published, against librdkafka's mock cluster.
//
//   node tests/drivers/kafkaGroups.ts --messages 20000 --partitions 6 --events 30 --rounds 3 --seed 1
//
// Prints a line for each round. Exit status 1 where a message was skipped, or a consumer failed.
import { parseArgs } from "node:util"
import { KafkaMock } from "../state/queues/KafkaMock.ts"
import { kafkaGroupRun } from "./kafkaGroupRuns.ts"

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "20000" },
    partitions: { type: "string", default: "6" },
    events: { type: "string", default: "30" },
    rounds: { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) }
  }
})

const mock = await KafkaMock.start()
if (typeof mock === "string") throw new Error(mock)
for (let round = 0; round < Number(values.rounds); round++) {
  const seed = Number(values.seed) + round
  const report = await kafkaGroupRun({
    mock,
    topic: `round-${round}`,
    messages: Number(values.messages),
    partitions: Number(values.partitions),
    events: Number(values.events),
    seed
  })
  console.log(JSON.stringify({ seed, ...report }))
  if (report.lost > 0 || report.failures.length > 0) process.exitCode = 1
}
mock.stop()
