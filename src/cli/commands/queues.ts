import { access } from "node:fs/promises"
import type { StoredQueueMessage, QueueSelection, StreamHost } from "../../host/index.ts"
import { toJson } from "../../rtfs/index.ts"
import { alignedRows } from "../alignedRows.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import type { FlagName } from "../Flag.ts"
import { shortened } from "../shortened.ts"
import { UsageError } from "../UsageError.ts"
import { withHost } from "../withHost.ts"

/** Looks into the embedded queues of a store, puts back what consumers have put aside, or drops messages. */
export const queues = async (invocation: Invocation): Promise<number> => {
  const { flags, operands, output } = invocation
  const [action = "", queue, ...written] = operands
  if (flags["data-dir"] === undefined && flags.store === undefined)
    throw new UsageError("queues needs --data-dir DIR or --store URL: where the queues are.", "queues")
  checkFlags(action, invocation)
  // A name that was mistyped would otherwise be made, and be found empty.
  if (flags["data-dir"] !== undefined) await access(flags["data-dir"])
  const ids = written.map(idOf)
  const use = (work: (host: StreamHost) => Promise<number>) => withHost(flags, output, work)
  if (action === "list") {
    if (ids.length > 0) throw new UsageError("queues list takes one QUEUE, or none.", "queues")
    return use((host) => (queue === undefined ? listQueues(host, invocation) : listMessages(host, queue, invocation)))
  }
  if (queue === undefined) throw new UsageError(`queues ${action} needs a QUEUE; queues list shows them.`, "queues")
  if (action === "show") {
    if (ids.length !== 1) throw new UsageError("queues show takes a QUEUE and one ID.", "queues")
    return use((host) => show(host, queue, ids[0]!, invocation))
  }
  const selection = selected(action, queue, ids, invocation)
  return use(async (host) => {
    const count = await (action === "drop" ? host.queues.remove(selection) : host.queues.putBack(selection))
    const were = count === 1 ? "1 message was" : `${count} messages were`
    await output.problem(action === "drop" ? `${were} dropped.` : `${were} put back.`)
    return exitStatus.done
  })
}

const listQueues = async (host: StreamHost, { flags, output }: Invocation): Promise<number> => {
  const found = await host.queues.queues()
  if (flags.json === true) for (const each of found) await output.line(toJson(each))
  else if (found.length === 0)
    await output.problem("No queue of this store holds anything. Items that streams gave up on: rtfs-streams dead-letters list.")
  else {
    const rows = found.map(({ dead, messages, queue }) => [queue, String(messages), String(dead)])
    for (const line of alignedRows([["QUEUE", "MESSAGES", "PUT ASIDE"], ...rows], "")) await output.line(line)
  }
  return exitStatus.done
}

const listMessages = async (host: StreamHost, queue: string, { flags, output }: Invocation): Promise<number> => {
  const messages = await host.queues.list({ queue, after: flags.after, limit: flags.limit })
  if (flags.json === true) for (const message of messages) await output.line(toJson(asData(message)))
  else if (messages.length === 0) await output.problem("There are no such messages.")
  else
    for (const line of alignedRows([["ID", "SENT", "ATTEMPTS", "FROM", "REASON", "BODY"], ...messages.map(row)], ""))
      await output.line(line)
  return exitStatus.done
}

const row = ({ attempts, body, dead, id, sentAt }: StoredQueueMessage): ReadonlyArray<string> => [
  String(id),
  new Date(sentAt).toISOString(),
  String(dead?.attempts ?? attempts),
  dead?.queue ?? "",
  shortened(dead?.reason ?? "", 40),
  shortened(textOf(body).text, 60)
]

const show = async (host: StreamHost, queue: string, id: number, { flags, output }: Invocation): Promise<number> => {
  const [message] = await host.queues.list({ queue, after: id - 1, limit: 1 })
  if (message?.id !== id) throw new UsageError(`The queue ${queue} has no message ${id}.`, "queues")
  if (flags.json === true) await output.line(toJson(asData(message)))
  else for (const line of alignedRows(fields(message), "")) await output.line(line)
  return exitStatus.done
}

const fields = ({ attempts, body, contentType, headers, id, queue, sentAt }: StoredQueueMessage): ReadonlyArray<ReadonlyArray<string>> => [
  ["id", String(id)],
  ["queue", queue],
  ["sent", new Date(sentAt).toISOString()],
  ["given", `${attempts} times from this queue`],
  ["type", contentType],
  ...Object.entries(headers).map(([name, value]) => [`header ${name}`, value]),
  [textOf(body).isText ? "body" : "body, base64", textOf(body).text]
]

const asData = ({ body, sentAt, ...message }: StoredQueueMessage) => ({
  ...message,
  sentAt: new Date(sentAt).toISOString(),
  body: textOf(body).text,
  ...(textOf(body).isText ? {} : { base64: true })
})

/** As text where it is some; otherwise as base64. */
const textOf = (body: Uint8Array): { readonly text: string; readonly isText: boolean } => {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(body), isText: true }
  } catch {
    return { text: Buffer.from(body).toString("base64"), isText: false }
  }
}

/** What is taken away is always named: there is no default. */
const selected = (action: string, queue: string, ids: ReadonlyArray<number>, { flags }: Invocation): QueueSelection => {
  if (ids.length > 0 === (flags.all === true))
    throw new UsageError(`queues ${action} takes a QUEUE and one of these: the ids of messages, or --all.`, "queues")
  return { queue, ...(ids.length > 0 ? { ids } : {}) }
}

const idOf = (written: string): number => {
  if (/^[1-9]\d{0,14}$/.test(written)) return Number(written)
  throw new UsageError(`${JSON.stringify(written)} is no id of a message; queues list QUEUE shows them.`, "queues")
}

const everywhere: ReadonlyArray<FlagName> = ["data-dir", "store", "debug"]
const ofAction: Readonly<Record<string, ReadonlyArray<FlagName>>> = {
  list: ["limit", "after", "json"],
  show: ["json"],
  drop: ["all"],
  return: ["all"]
}

/** A flag that means nothing to this action is a mistake. */
const checkFlags = (action: string, { flags }: Invocation): void => {
  const taken = ofAction[action]
  if (taken === undefined)
    throw new UsageError(`queues knows no ${JSON.stringify(action)}; there are list, show, return and drop.`, "queues")
  const strange = Object.keys(flags).find((name) => !everywhere.includes(name as FlagName) && !taken.includes(name as FlagName))
  if (strange !== undefined) throw new UsageError(`queues ${action} takes no --${strange}.`, "queues")
}
