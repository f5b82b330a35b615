import { afterAll, beforeAll } from "vitest"
import { openQueueBackend } from "../../../src/state/index.ts"
import { queueContract } from "../../contracts/queue.ts"
import { CutProxy } from "./CutProxy.ts"
import { FakeSqs } from "./FakeSqs.ts"

// What every queue promises, by Amazon SQS against a stand-in.

const before = { ...process.env }
beforeAll(() => void Object.assign(process.env, { AWS_ACCESS_KEY_ID: "AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY: "not-a-secret" }))

const fake = await FakeSqs.start()
const proxy = await CutProxy.to(fake.url)
let ordinal = 0
const standard = () => fake.makeQueue(`orders-${++ordinal}`)
const fifo = () => fake.makeQueue(`orders-${++ordinal}.fifo`)

const common = {
  open: openQueueBackend(`sqs://eu-west-1?endpoint=${encodeURIComponent(proxy.urlOf(fake.url))}`),
  uncounts: false,
  cutOff: async () => {
    proxy.cut()
    await new Promise((resolve) => setTimeout(resolve, 200))
    proxy.mend()
  }
}
queueContract({ ...common, name: "SQS, standard, a stand-in", freshQueue: standard, dedupes: false, leases: true, ordered: false })
// Messages of a group wait for one another, so none is given while another's lease is extended.
queueContract({ ...common, name: "SQS, FIFO, a stand-in", freshQueue: fifo, dedupes: true, leases: false, mostOut: 10 })

afterAll(() => {
  process.env = before
  proxy.close()
  fake.stop()
})
