import type { KafkaRecord, RecordsBatch } from "@platformatic/kafka"
import { describe, expect, it } from "vitest"
import { kafkaCalls, kafkaDelivery, messagesOf } from "../../../src/state/queues/kafkaMessages.ts"
import { parseKafkaUrl } from "../../../src/state/queues/kafkaUrl.ts"
import { rangesOf } from "../../../src/state/queues/rangeAssignor.ts"

describe("a URL of Kafka", () => {
  it("has many servers, a user, a group, and a way to prove the password", () => {
    expect(parseKafkaUrl("kafka://one,two:9093,[::1]:9094")).toMatchObject({
      brokers: [
        { host: "one", port: 9092 },
        { host: "two", port: 9093 },
        { host: "::1", port: 9094 }
      ],
      isSecure: false,
      credentials: undefined,
      group: undefined,
      location: "kafka://one,two:9093,[::1]:9094"
    })
    expect(parseKafkaUrl("kafkas://an%40a:p%2Fs:s@host?group=billing&sasl=scram-sha-512")).toMatchObject({
      isSecure: true,
      credentials: { username: "an@a", password: "p/s:s" },
      mechanism: "SCRAM-SHA-512",
      group: "billing",
      location: "kafkas://host?group=billing"
    })
  })

  it("is refused where it can't be honoured, and never shown with its password", () => {
    const failures = [
      "kafka://",
      "kafka://ana:hush@",
      "kafka://ana:hush@host:port",
      "kafka://ana:hush@host/orders",
      "kafka://ana:hush@host?acks=1",
      "kafka://ana:hush@host?sasl=gssapi",
      "kafka://ana:hu@sh/hush@host",
      "kafka://ana@host",
      "kafka://host?sasl=plain"
    ].map((url) => {
      try {
        parseKafkaUrl(url)
        return `${url} is taken`
      } catch (error) {
        return (error as Error).message
      }
    })
    expect(failures.filter((message) => !message.startsWith("The queue kafka has"))).toEqual(["kafka://ana:hu@sh/hush@host is taken"])
    expect(failures.slice(0, 6).join()).not.toContain("hush")
    // The last @ ends the password.
    expect(parseKafkaUrl("kafka://ana:hu@sh/hush@host").location).toBe("kafka://host")
    expect(parseKafkaUrl("kafka://ana:h%75sh@host").redacted("no h%75sh, and no hush")).toBe("no ***, and no ***")
  })
})

describe("the range assignor", () => {
  it("gives each partition to one of its readers, in ranges as even as can be", () => {
    const wishes = [
      { memberId: "b", topics: ["orders", "bills"] },
      { memberId: "a", topics: ["orders"] },
      { memberId: "c", topics: ["orders", "nothing"] }
    ]
    const counts = new Map([
      ["orders", 5],
      ["bills", 2],
      ["nothing", 0]
    ])
    expect(rangesOf(wishes, counts)).toEqual([
      {
        memberId: "b",
        assigned: [
          { topic: "orders", partitions: [2, 3] },
          { topic: "bills", partitions: [0, 1] }
        ]
      },
      { memberId: "a", assigned: [{ topic: "orders", partitions: [0, 1] }] },
      { memberId: "c", assigned: [{ topic: "orders", partitions: [4] }] }
    ])
    expect(rangesOf([...wishes, { memberId: "d", topics: ["bills"] }, { memberId: "e", topics: ["bills"] }], counts).at(-1)).toEqual({
      memberId: "e",
      assigned: []
    })
  })
})

const record = (
  offsetDelta: number,
  value: string | null,
  key: Buffer | null = null,
  headers: KafkaRecord["headers"] = []
): KafkaRecord => ({
  length: 0,
  attributes: 0,
  timestampDelta: BigInt(offsetDelta),
  offsetDelta,
  key,
  value: value === null ? null : Buffer.from(value),
  headers
})

const batch = (firstOffset: number, records: Array<KafkaRecord>, more: Partial<RecordsBatch> = {}): RecordsBatch => ({
  firstOffset: BigInt(firstOffset),
  length: 0,
  partitionLeaderEpoch: 0,
  magic: 2,
  crc: 0,
  attributes: 0,
  lastOffsetDelta: records.length - 1,
  firstTimestamp: 1000n,
  maxTimestamp: 5000n,
  producerId: -1n,
  producerEpoch: -1,
  firstSequence: -1,
  records,
  ...more
})

describe("records of Kafka", () => {
  const transactional = 1 << 4
  const control = (1 << 5) | transactional
  const marker = (kind: number) => record(0, "", Buffer.from([0, 0, 0, kind]))

  it("are messages unless their transaction was given up; markers are none", () => {
    const batches = [
      batch(0, [record(0, "plain")]),
      batch(1, [record(0, "given up"), record(1, "given up")], { attributes: transactional, producerId: 7n }),
      batch(3, [record(0, "beside")], { attributes: transactional, producerId: 8n }),
      batch(4, [marker(0)], { attributes: control, producerId: 7n }),
      batch(5, [record(0, "again")], { attributes: transactional, producerId: 7n }),
      batch(6, [marker(1)], { attributes: control, producerId: 7n }),
      batch(7, [marker(1)], { attributes: control, producerId: 8n })
    ]
    const { next, records } = messagesOf(batches, [{ producerId: 7n, firstOffset: 1n }])
    expect(records.map(({ offset, record }) => [offset, String(record.value)])).toEqual([
      [0, "plain"],
      [3, "beside"],
      [5, "again"]
    ])
    expect(next).toBe(8)
  })

  it("keep their place where others are missing, and the time of who says it", () => {
    const compacted = batch(10, [record(1, "a"), record(4, "b")], { lastOffsetDelta: 9 })
    const byServer = batch(20, [record(0, "c")], { attributes: 1 << 3 })
    const { next, records } = messagesOf([compacted, byServer], [])
    expect(records.map(({ offset, time }) => [offset, time])).toEqual([
      [11, 1001],
      [14, 1004],
      [20, 5000]
    ])
    expect(next).toBe(21)
    expect(messagesOf([compacted], []).next).toBe(20)
    expect(messagesOf([], []).next).toBe(0)
  })

  it.each<readonly [string, ReadonlyArray<ReturnType<typeof batch>>]>([
    ["before the beginning", [batch(-5, [record(0, "a")])]],
    ["where no number can be", [batch(2 ** 60, [record(0, "a")])]],
    ["behind the end of their batch", [batch(5, [record(1, "a")], { lastOffsetDelta: 0 })]],
    ["before their batch", [batch(5, [record(-1, "a")])]],
    ["twice", [batch(5, [record(0, "a"), record(0, "b")], { lastOffsetDelta: 1 })]],
    ["in a batch that ends before it begins", [batch(5, [], { lastOffsetDelta: -3 })]],
    ["in batches that go back", [batch(5, [record(0, "a")]), batch(4, [record(0, "b")])]]
  ])("are refused %s", (_, batches) => {
    expect(() => messagesOf(batches, [])).toThrow("in the wrong places")
  })

  it("of other programs have their key and headers as headers, and may have no body", () => {
    const headers: KafkaRecord["headers"] = [
      [Buffer.from("content-type"), Buffer.from("application/json")],
      [Buffer.from("trace"), Buffer.from("t1")],
      [Buffer.from("none"), null]
    ]
    const delivery = kafkaDelivery(3, { offset: 17, time: 1000, record: record(0, null, Buffer.from("customer-5"), headers) }, 2)
    expect(delivery).toMatchObject({
      id: "3-17-rs",
      attempts: 2,
      time: 1000,
      contentType: "application/json",
      headers: { "message-key": "customer-5", trace: "t1" },
      receipt: { partition: 3, offset: 17 }
    })
    expect(delivery.body.byteLength).toBe(0)
    expect(Object.keys(delivery.headers)).toEqual(["message-key", "trace"])
  })

  it("are published in calls that servers take", () => {
    const message = (key: string, bytes: number) => ({ key, body: new Uint8Array(bytes), contentType: "a/b", headers: {}, time: 5 })
    const calls = kafkaCalls("t", [message("a", 500_000), message("b", 300_000), message("c", 2_000_000), message("d", 1), message("e", 1)])
    expect(calls.map((call) => call.map(({ key }) => String(key)))).toEqual([["a", "b"], ["c"], ["d", "e"]])
  })
})
