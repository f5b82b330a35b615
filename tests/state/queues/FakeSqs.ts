import { createHash, randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"

interface Entry {
  readonly Id: string
  readonly MessageBody?: string
  readonly MessageAttributes?: Record<string, { readonly DataType: string; readonly StringValue: string }>
  readonly MessageDeduplicationId?: string
  readonly MessageGroupId?: string
  readonly ReceiptHandle?: string
  readonly VisibilityTimeout?: number
}

interface Request {
  readonly QueueName?: string
  readonly QueueUrl?: string
  readonly Entries?: ReadonlyArray<Entry>
  readonly MaxNumberOfMessages?: number
  readonly VisibilityTimeout?: number
  readonly WaitTimeSeconds?: number
}

interface Held {
  readonly id: string
  readonly entry: Entry
  readonly sent: number
  receives: number
  /** Of `performance.now`. */
  visibleAt: number
  handle: string
}

interface Queue {
  readonly messages: Array<Held>
  readonly keys: Map<string, string>
}

export class SqsError extends Error {
  readonly type: string
  readonly status: number
  constructor(type: string, status = 400) {
    super(`${type} by the stand-in`)
    this.type = type
    this.status = status
  }
}

/**
 * A stand-in for Amazon SQS: its JSON protocol over HTTP, with leases, receive counts, groups and deduplication of FIFO queues.
 * It holds requests to the documented limits. Standard queues give the newest message first, since order is not promised.
 */
export class FakeSqs {
  readonly calls: Array<{ readonly action: string; readonly request: Request }> = []
  /** Codes of failures of single entries, by the action; each is used once. */
  readonly entryFaults: Array<{ readonly action: string; readonly id: string; readonly senderFault: boolean }> = []
  /** What whole calls are answered with. */
  readonly callFaults: Array<{ readonly action: string; readonly error: SqsError }> = []
  /** For so long the answer to a call for messages is on its way. */
  answerMs = 0
  readonly #queues = new Map<string, Queue>()
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<FakeSqs> {
    const server = createServer()
    const fake = new FakeSqs(server)
    server.on("request", (request, response) => {
      void fake.#answer(request).then(([status, body]) => {
        if (response.destroyed) return
        response.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(body))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return fake
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  makeQueue(name: string): string {
    this.#queues.set(name, { messages: [], keys: new Map() })
    return name
  }

  depth(name: string): number {
    return this.#queue(name).messages.length
  }

  async #answer(request: IncomingMessage): Promise<readonly [number, unknown]> {
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const action = String(request.headers["x-amz-target"]).replace("AmazonSQS.", "")
    try {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Request
      this.calls.push({ action, request: body })
      if (!String(request.headers.authorization).startsWith("AWS4-HMAC-SHA256 Credential="))
        throw new SqsError("MissingAuthenticationToken", 403)
      const fault = this.callFaults.findIndex((each) => each.action === action)
      if (fault !== -1) throw this.callFaults.splice(fault, 1)[0]!.error
      return [200, await this.#act(action, body, () => request.socket.destroyed)]
    } catch (error) {
      const { message, status, type } = error instanceof SqsError ? error : new SqsError(`InternalFailure: ${String(error)}`, 500)
      return [status, { __type: `com.amazonaws.sqs#${type}`, message }]
    }
  }

  #act(action: string, request: Request, isGone: () => boolean): unknown {
    if (action === "GetQueueUrl") {
      this.#queue(request.QueueName!)
      return { QueueUrl: `https://sqs.nowhere.example/000000000000/${request.QueueName!}` }
    }
    const name = request.QueueUrl!.split("/").at(-1)!
    const queue = this.#queue(name)
    switch (action) {
      case "ReceiveMessage":
        return this.#receive(name, queue, request, isGone)
      case "GetQueueAttributes": {
        const now = performance.now()
        const hidden = queue.messages.filter(({ visibleAt }) => visibleAt > now).length
        return {
          Attributes: {
            ApproximateNumberOfMessages: String(queue.messages.length - hidden),
            ApproximateNumberOfMessagesNotVisible: String(hidden),
            ApproximateNumberOfMessagesDelayed: "0"
          }
        }
      }
      case "SendMessageBatch":
        checkSizes(request.Entries!)
        return this.#each(action, request, (entry) => this.#send(name, queue, entry))
      case "DeleteMessageBatch":
        return this.#each(action, request, (entry) => {
          queue.messages.splice(indexOfHandle(queue, entry), 1)
          return {}
        })
      case "ChangeMessageVisibilityBatch":
        return this.#each(action, request, (entry) => {
          queue.messages[indexOfHandle(queue, entry)]!.visibleAt = performance.now() + entry.VisibilityTimeout! * 1000
          return {}
        })
      default:
        throw new SqsError("InvalidAction")
    }
  }

  #queue(name: string): Queue {
    const queue = this.#queues.get(name)
    if (queue === undefined) throw new SqsError("QueueDoesNotExist")
    return queue
  }

  #each(action: string, { Entries = [] }: Request, act: (entry: Entry) => object): unknown {
    if (Entries.length === 0) throw new SqsError("EmptyBatchRequest")
    if (Entries.length > 10) throw new SqsError("TooManyEntriesInBatchRequest")
    if (new Set(Entries.map(({ Id }) => Id)).size < Entries.length) throw new SqsError("BatchEntryIdsNotDistinct")
    const Successful: Array<object> = []
    const Failed: Array<object> = []
    for (const entry of Entries) {
      const fault = this.entryFaults.findIndex((each) => each.action === action && each.id === entry.Id)
      if (fault !== -1) {
        Failed.push({ Id: entry.Id, Code: "InternalError", SenderFault: this.entryFaults.splice(fault, 1)[0]!.senderFault })
        continue
      }
      try {
        Successful.push({ Id: entry.Id, ...act(entry) })
      } catch (error) {
        Failed.push({ Id: entry.Id, Code: (error as SqsError).type, SenderFault: true })
      }
    }
    return { Successful, Failed }
  }

  #send(name: string, queue: Queue, entry: Entry): object {
    const { MessageBody = "", MessageDeduplicationId: key, MessageGroupId: group } = entry
    if (!/^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]+$/u.test(MessageBody)) throw new SqsError("InvalidMessageContents")
    if (name.endsWith(".fifo") && (key === undefined || group === undefined)) throw new SqsError("MissingParameter")
    const id = (key === undefined ? undefined : queue.keys.get(key)) ?? randomUUID()
    if (key === undefined || !queue.keys.has(key)) {
      queue.messages.push({ id, entry, sent: Date.now(), receives: 0, visibleAt: 0, handle: "" })
      if (key !== undefined) queue.keys.set(key, id)
    }
    return { MessageId: id, MD5OfMessageBody: md5(MessageBody) }
  }

  async #receive(name: string, queue: Queue, request: Request, isGone: () => boolean): Promise<unknown> {
    const { MaxNumberOfMessages: max = 1, VisibilityTimeout = 30, WaitTimeSeconds = 0 } = request
    if (max < 1 || max > 10 || WaitTimeSeconds > 20 || !Number.isInteger(VisibilityTimeout)) throw new SqsError("InvalidParameterValue")
    const deadline = performance.now() + WaitTimeSeconds * 1000
    while (!isGone()) {
      const now = performance.now()
      const busy = new Set(queue.messages.filter(({ visibleAt }) => visibleAt > now).map(({ entry }) => entry.MessageGroupId))
      const free = queue.messages.filter(
        ({ entry, visibleAt }) => visibleAt <= now && (entry.MessageGroupId === undefined || !busy.has(entry.MessageGroupId))
      )
      const given = (name.endsWith(".fifo") ? free : free.toReversed()).slice(0, max)
      if (given.length > 0 || now >= deadline) {
        const Messages = given.map((held) => give(held, now + VisibilityTimeout * 1000))
        await new Promise((resolve) => setTimeout(resolve, this.answerMs))
        return { Messages }
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return {}
  }
}

const give = (held: Held, visibleAt: number): object => {
  const { MessageAttributes, MessageBody = "", MessageDeduplicationId } = held.entry
  held.receives++
  held.visibleAt = visibleAt
  held.handle = randomUUID()
  return {
    MessageId: held.id,
    ReceiptHandle: held.handle,
    Body: MessageBody,
    MD5OfBody: md5(MessageBody),
    MessageAttributes,
    Attributes: { ApproximateReceiveCount: String(held.receives), SentTimestamp: String(held.sent), MessageDeduplicationId }
  }
}

const indexOfHandle = ({ messages }: Queue, { ReceiptHandle }: Entry): number => {
  const at = messages.findIndex(({ handle }) => handle === ReceiptHandle)
  if (at === -1) throw new SqsError("ReceiptHandleIsInvalid")
  return at
}

const checkSizes = (entries: ReadonlyArray<Entry>): void => {
  const bytes = entries.reduce((sum, { MessageAttributes = {}, MessageBody = "" }) => {
    const attributes = Object.entries(MessageAttributes).flatMap(([name, { DataType, StringValue }]) => [name, DataType, StringValue])
    return sum + Buffer.byteLength(MessageBody + attributes.join(""))
  }, 0)
  if (bytes > 1024 * 1024 || (entries.length > 1 && bytes > 256 * 1024)) throw new SqsError("BatchRequestTooLong")
}

const md5 = (text: string): string => createHash("md5").update(text).digest("hex")
