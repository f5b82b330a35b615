import { createHash } from "node:crypto"
import type { Message, SendMessageBatchRequestEntry } from "@aws-sdk/client-sqs"
import type { Delivery, NewMessage } from "./QueueBackend.ts"

/** The one attribute of what we publish: a message may have ten, and their names are restricted. */
const ours = "rtfs-streams"

/** Messages of a FIFO queue are ordered within their group; what we publish is one group. */
const group = "rtfs-streams"

/** What one call may carry on every server of this kind; a larger message goes alone, and the queue's own limit is the bound. */
const batchBytes = 256 * 1024
export const batchEntries = 10

interface About {
  readonly key: string
  readonly type: string
  readonly time: number
  readonly headers: Readonly<Record<string, string>>
  /** How the body is written, where it is no text that the server takes as it is. */
  readonly body?: "base64" | "empty"
}

export const isFifo = (queue: string): boolean => queue.endsWith(".fifo")

/** What a receipt handle is good for, and until when (of `performance.now`). */
export interface SqsReceipt {
  readonly handle: string
  readonly until: number
}

/** Parts messages into calls, in order: at most ten, and so many bytes. */
export const sqsBatches = (
  queue: string,
  messages: ReadonlyArray<NewMessage>
): ReadonlyArray<ReadonlyArray<SendMessageBatchRequestEntry>> => {
  const batches: Array<Array<SendMessageBatchRequestEntry>> = []
  let bytes = Infinity
  for (const message of messages) {
    const [body, entry] = entryOf(queue, message)
    if (bytes + body > batchBytes || batches.at(-1)!.length === batchEntries) {
      batches.push([])
      bytes = 0
    }
    const batch = batches.at(-1)!
    batch.push({ ...entry, Id: String(batch.length) })
    bytes += body
  }
  return batches
}

const entryOf = (
  queue: string,
  { body, contentType, headers, key, time }: NewMessage
): readonly [bytes: number, entry: Omit<SendMessageBatchRequestEntry, "Id">] => {
  const text = textOf(body)
  const written: Pick<About, "body"> = text !== undefined ? {} : { body: body.byteLength === 0 ? "empty" : "base64" }
  const MessageBody = text ?? (body.byteLength === 0 ? "-" : Buffer.from(body).toString("base64"))
  const about = asciiJson({ key, type: contentType, time, headers, ...written } satisfies About)
  const bytes = Buffer.byteLength(MessageBody) + about.length + ours.length + "String".length
  return [
    bytes,
    {
      MessageBody,
      MessageAttributes: { [ours]: { DataType: "String", StringValue: about } },
      ...(isFifo(queue) ? { MessageDeduplicationId: deduplicationId(key), MessageGroupId: group } : {})
    }
  ]
}

/** At most 128 characters, of these. */
const deduplicationId = (key: string): string => (/^[!-~]{1,128}$/.test(key) ? key : createHash("sha256").update(key).digest("hex"))

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The characters of XML 1.0 are what a body may have, and at least one of them. */
const allowed = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]+$/u

const textOf = (body: Uint8Array): string | undefined => {
  try {
    const text = decoder.decode(body)
    return allowed.test(text) ? text : undefined
  } catch {
    return undefined
  }
}

const asciiJson = (value: unknown): string =>
  JSON.stringify(value).replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** @param until when its lease ends, of `performance.now` */
export const sqsDelivery = (message: Message, until: number): Delivery => {
  const { Attributes = {}, Body = "", MessageAttributes = {}, MessageId, ReceiptHandle } = message
  const sent = Number(Attributes.SentTimestamp)
  const rest = {
    id: MessageId!,
    attempts: Number(Attributes.ApproximateReceiveCount ?? 1),
    receipt: { handle: ReceiptHandle!, until } satisfies SqsReceipt
  }
  const about = aboutOf(MessageAttributes[ours]?.StringValue)
  if (about === undefined) {
    // What another program published: its attributes are the headers.
    const named = Object.entries(MessageAttributes).flatMap(([name, { StringValue }]) =>
      StringValue === undefined ? [] : [[name, StringValue]]
    )
    const key = Attributes.MessageDeduplicationId
    const headers = Object.fromEntries([...named, ...(key === undefined ? [] : [["message-key", key]])]) as Record<string, string>
    return {
      ...rest,
      time: Number.isFinite(sent) ? sent : undefined,
      body: Buffer.from(Body),
      contentType: headers["content-type"],
      headers
    }
  }
  return {
    ...rest,
    time: about.time,
    body: about.body === "empty" ? new Uint8Array() : Buffer.from(Body, about.body === "base64" ? "base64" : "utf8"),
    contentType: about.type,
    headers: { ...about.headers, "message-key": about.key }
  }
}

const aboutOf = (text: string | undefined): About | undefined => {
  if (text === undefined) return undefined
  try {
    const { body, headers, key, time, type } = JSON.parse(text) as Partial<Record<keyof About, unknown>>
    if (typeof key !== "string" || typeof type !== "string" || typeof time !== "number") return undefined
    const named =
      typeof headers === "object" && headers !== null ? Object.entries(headers).map(([name, value]) => [name, String(value)]) : []
    return {
      key,
      type,
      time,
      headers: Object.fromEntries(named) as Record<string, string>,
      ...(body === "base64" || body === "empty" ? { body } : {})
    }
  } catch {
    return undefined
  }
}
