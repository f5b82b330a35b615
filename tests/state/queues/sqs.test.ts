import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openQueueBackend, type NewMessage, type QueueBackend } from "../../../src/state/index.ts"
import { receiveAll } from "../../contracts/queue.ts"
import { FakeSqs, SqsError } from "./FakeSqs.ts"

const environment = {
  AWS_ACCESS_KEY_ID: "AKIAEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "not-a-secret",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_CONFIG_FILE: "/nowhere/config",
  AWS_SHARED_CREDENTIALS_FILE: "/nowhere/credentials"
}
const before = { ...process.env }
beforeAll(() => void Object.assign(process.env, environment))

const fake = await FakeSqs.start()
const urlOf = (endpoint: string) => `sqs://eu-west-1?endpoint=${encodeURIComponent(endpoint)}`
let ordinal = 0
const standard = () => fake.makeQueue(`orders-${++ordinal}`)
const fifo = () => fake.makeQueue(`orders-${++ordinal}.fifo`)

afterAll(() => {
  process.env = before
  fake.stop()
})

const run = <A>(body: (backend: QueueBackend) => Effect.Effect<A, unknown, Scope.Scope>) =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(openQueueBackend(urlOf(fake.url)), body)))

const message = (key: string, body: string | Uint8Array = key): NewMessage => ({
  key,
  body: typeof body === "string" ? Buffer.from(body) : body,
  contentType: "text/plain; charset=ü",
  headers: { größe: "10 \u{1f600}" },
  time: 5
})
const many = (count: number, body?: string) => Array.from({ length: count }, (_, n) => message(`key ${n}`, body))
const options = { leaseMs: 30_000, maxHeld: 100 }
const failureOf = (url: string) => Effect.runPromise(Effect.scoped(Effect.flip(openQueueBackend(url))))

describe("SQS", () => {
  it("gives bodies and headers as they were, whatever they hold", () =>
    run((backend) =>
      Effect.gen(function* () {
        const queue = standard()
        const bodies = ["", "-", "aGVsbG8=", "a\u0000b", "\ufffe", "\ufeffbom", "ü\u{1f600}\r\n\t", Uint8Array.of(255, 254)]
        yield* backend.publish(
          queue,
          bodies.map((body, n) => message(String(n), body))
        )
        const received = yield* receiveAll(yield* backend.subscribe(queue, options), bodies.length)
        for (const [n, body] of bodies.entries()) {
          const given = received.find(({ headers }) => headers["message-key"] === String(n))!
          expect(Buffer.from(given.body)).toEqual(Buffer.from(message("", body).body))
          expect(given).toMatchObject({ contentType: "text/plain; charset=ü", headers: { größe: "10 \u{1f600}" }, time: 5 })
        }
      })
    ))

  it("sends ten a call, and no more than 256 KiB unless one message is larger", () =>
    run((backend) =>
      Effect.gen(function* () {
        const queue = fifo()
        const from = fake.calls.length
        yield* backend.publish(queue, [...many(25), ...many(5, "x".repeat(100_000)), message("large", "x".repeat(500_000))])
        const sizes = fake.calls
          .slice(from)
          .flatMap(({ action, request }) => (action === "SendMessageBatch" ? [request.Entries!.length] : []))
        expect(sizes).toEqual([10, 10, 7, 2, 1, 1])
      })
    ))

  it("sends again what the server failed at in a batch, and only that", () =>
    run((backend) =>
      Effect.gen(function* () {
        const queue = standard()
        const from = fake.calls.length
        for (const id of ["1", "3", "3"]) fake.entryFaults.push({ action: "SendMessageBatch", id, senderFault: false })
        yield* backend.publish(queue, many(4))
        const sizes = fake.calls
          .slice(from)
          .flatMap(({ action, request }) => (action === "SendMessageBatch" ? [request.Entries!.length] : []))
        expect(sizes).toEqual([4, 2, 1])
        expect(yield* backend.depth(queue)).toEqual({ waiting: 4, held: 0 })
        const deliveries = yield* receiveAll(yield* backend.subscribe(queue, options), 4)
        fake.entryFaults.push({ action: "DeleteMessageBatch", id: "2", senderFault: false })
        const subscription = yield* backend.subscribe(queue, options)
        expect(yield* subscription.acknowledge(deliveries)).toEqual(deliveries)
        expect(yield* backend.depth(queue)).toEqual({ waiting: 0, held: 0 })
      })
    ))

  it("fails where the server refuses a message, or goes on failing", () =>
    run((backend) =>
      Effect.gen(function* () {
        const queue = standard()
        fake.entryFaults.push({ action: "SendMessageBatch", id: "0", senderFault: true })
        expect(yield* Effect.flip(backend.publish(queue, many(1)))).toMatchObject({ isPassing: false })
        for (let n = 0; n < 5; n++) fake.entryFaults.push({ action: "SendMessageBatch", id: "0", senderFault: false })
        expect(yield* Effect.flip(backend.publish(queue, many(1)))).toMatchObject({ isPassing: true })
      })
    ))

  it("tells what has been given to somebody else from what is gone", () =>
    run((backend) =>
      Effect.gen(function* () {
        const queue = standard()
        yield* backend.publish(queue, many(12))
        const from = yield* backend.subscribe(queue, options)
        const deliveries = yield* receiveAll(from, 12)
        yield* from.giveBack(deliveries.slice(3, 4), { delayMs: 0, isUnstarted: true })
        const again = yield* receiveAll(from, 1)
        expect(again[0]).toMatchObject({ id: deliveries[3]!.id, attempts: 2 })
        expect((yield* from.acknowledge(deliveries)).length).toBe(11)
        expect(yield* from.acknowledge(again)).toEqual(again)
      })
    ))

  it("asks again at once after messages came", () =>
    run((backend) =>
      Effect.gen(function* () {
        const queue = standard()
        yield* backend.publish(queue, many(100))
        const from = yield* backend.subscribe(queue, options)
        // Each is the answer of one call: none waits until somebody has lost patience.
        for (let turn = 0; turn < 10; turn++) expect((yield* from.receive(100)).length).toBe(10)
      })
    ))

  it("gives back at the stop what nobody has taken, and keeps nothing that comes later", () =>
    run((backend) =>
      Effect.gen(function* () {
        const queue = standard()
        yield* backend.publish(queue, many(5))
        const from = yield* backend.subscribe(queue, options)
        expect((yield* from.receive(10)).length).toBe(5)
        // Nothing is there, so a call waits in the server when the asking has ended.
        expect(yield* from.receive(10)).toEqual([])
        yield* from.stop
        yield* backend.publish(queue, many(2))
        expect(yield* from.receive(10)).toEqual([])
        expect(yield* backend.depth(queue)).toEqual({ waiting: 2, held: 5 })
      })
    ))

  it("waits at the stop for what the server is giving, and gives it back", () =>
    run((backend) =>
      Effect.gen(function* () {
        const queue = standard()
        yield* backend.publish(queue, many(5))
        const from = yield* backend.subscribe(queue, options)
        fake.answerMs = 300
        expect(yield* Effect.timeoutOption(from.receive(10), 100)).toEqual(Option.none())
        yield* from.stop
        fake.answerMs = 0
        expect(yield* backend.depth(queue)).toEqual({ waiting: 5, held: 0 })
      })
    ))

  it("reads what another program published", () =>
    run((backend) =>
      Effect.gen(function* () {
        const queue = standard()
        yield* Effect.promise(() =>
          fetch(fake.url, {
            method: "POST",
            headers: { "x-amz-target": "AmazonSQS.SendMessageBatch", authorization: "AWS4-HMAC-SHA256 Credential=" },
            body: JSON.stringify({
              QueueUrl: `x/${queue}`,
              Entries: [{ Id: "a", MessageBody: "{}", MessageAttributes: { trace: { DataType: "String", StringValue: "t" } } }]
            })
          })
        )
        const [given] = yield* receiveAll(yield* backend.subscribe(queue, options), 1)
        expect(given).toMatchObject({ attempts: 1, contentType: undefined, headers: { trace: "t" } })
        expect(Math.abs(given!.time! - Date.now())).toBeLessThan(60_000)
      })
    ))

  it("says which queue is missing, and finds it once it is made", () =>
    run((backend) =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(backend.publish("missing", many(1)))
        expect(failure.message).toMatch(/sqs:\/\/eu-west-1\S* has no queue missing\. Make it/)
        expect(failure.isPassing).toBe(false)
        fake.makeQueue("missing")
        yield* backend.publish("missing", many(1))
      })
    ))

  it("tells a refusal from a server that is busy", () =>
    run((backend) =>
      Effect.gen(function* () {
        const from = yield* backend.subscribe(standard(), options)
        fake.callFaults.push({ action: "ReceiveMessage", error: new SqsError("AccessDeniedException", 403) })
        expect(yield* Effect.flip(from.receive(1))).toMatchObject({ isPassing: false })
        // The client asks three times by itself.
        for (let n = 0; n < 3; n++) fake.callFaults.push({ action: "GetQueueAttributes", error: new SqsError("RequestThrottled", 403) })
        expect(yield* Effect.flip(backend.depth(standard()))).toMatchObject({ isPassing: true })
      })
    ))

  it("takes no credentials from its URL, and never shows them", async () => {
    for (const url of ["sqs://AKIA:hush@eu-west-1", `sqs://eu-west-1?endpoint=${encodeURIComponent("https://user:hush@host")}`]) {
      const failure = await failureOf(url)
      expect(failure.message).toMatch(/has credentials in its URL.*AWS_ACCESS_KEY_ID/)
      expect(failure.message).not.toContain("hush")
    }
    expect((await failureOf("sqs://eu-west-1/orders")).message).toMatch(/names no region/)
    expect((await failureOf("sqs://eu-west-1?endpoint=ftp://x")).message).toMatch(/endpoint that is no URL/)
    delete process.env["AWS_ACCESS_KEY_ID"]
    const failure = await failureOf(urlOf(fake.url))
    process.env["AWS_ACCESS_KEY_ID"] = environment.AWS_ACCESS_KEY_ID
    expect(failure).toMatchObject({ isPassing: false })
    expect(failure.message).toMatch(/finds no credentials/)
  })
})
