import { access } from "node:fs/promises"
import type { DeadLetterRecord, DeadLetterSelection, StreamHost } from "../../host/index.ts"
import { textLimit, toJson, toText } from "../../rtfs/index.ts"
import { alignedRows } from "../alignedRows.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import type { FlagName } from "../Flag.ts"
import { shortened } from "../shortened.ts"
import { UsageError } from "../UsageError.ts"
import { withHost } from "../withHost.ts"
import { replay } from "./replayDeadLetters.ts"

/** Looks into the dead letters of a store, removes some, or works them off with a program. */
export const deadLetters = async (invocation: Invocation): Promise<number> => {
  const { flags, operands } = invocation
  const [action, ...rest] = operands
  if (flags["data-dir"] === undefined && flags.store === undefined) {
    throw new UsageError("dead-letters needs --data-dir DIR or --store URL: where the letters are.", "dead-letters")
  }
  checkFlags(action!, invocation)
  // A name that was mistyped would otherwise be made, and be found empty.
  if (flags["data-dir"] !== undefined) await access(flags["data-dir"])
  const ids = rest.map(idOf)
  switch (action) {
    case "list":
      if (ids.length > 0) throw new UsageError("dead-letters list takes flags only; dead-letters show prints one letter.", "dead-letters")
      return withHost(flags, invocation.output, (host) => list(host, invocation))
    case "show":
      if (ids.length !== 1) throw new UsageError("dead-letters show takes one ID.", "dead-letters")
      return withHost(flags, invocation.output, (host) => show(host, ids[0]!, invocation))
    case "drop":
      return withHost(flags, invocation.output, (host) => drop(host, selected("drop", ids, invocation), invocation))
    case "replay":
      return replay(selected("replay", ids, invocation), invocation)
    default:
      throw new UsageError(`dead-letters knows no ${JSON.stringify(action)}; there are list, show, drop and replay.`, "dead-letters")
  }
}

const list = async (host: StreamHost, { flags, output }: Invocation): Promise<number> => {
  const letters = await host.deadLetters.list({ queue: flags.queue, after: flags.after, limit: flags.limit })
  if (flags.json === true) {
    for (const letter of letters) await output.line(toJson(asData(letter)))
    return exitStatus.done
  }
  if (letters.length === 0) {
    await output.problem(
      "There are no such dead letters. Messages that a consumer put into a :dead-letter-queue: rtfs-streams queues list."
    )
  } else for (const line of alignedRows([heading, ...letters.map(row)], "")) await output.line(line)
  return exitStatus.done
}

const heading = ["ID", "TIME", "QUEUE", "STREAM", "STAGE", "ATTEMPTS", "ERROR", "ITEM"]

const row = ({ attempts, error, id, item, queue, stage, stream, time }: DeadLetterRecord): ReadonlyArray<string> => [
  String(id),
  new Date(time).toISOString(),
  queue,
  stream,
  stage.node,
  String(attempts),
  shortened(error.message, 40),
  shortened(textOf(item), 60)
]

const textOf = (item: DeadLetterRecord["item"]): string => ("value" in item ? toText(item.value, textLimit()) : item.printed)

const show = async (host: StreamHost, id: number, { flags, output }: Invocation): Promise<number> => {
  const letter = await host.deadLetters.get(id)
  if (letter === undefined) throw new UsageError(`There is no dead letter ${id}.`, "dead-letters")
  if (flags.json === true) await output.line(toJson(asData(letter)))
  else for (const line of alignedRows(fields(letter), "")) await output.line(line)
  return exitStatus.done
}

const fields = (letter: DeadLetterRecord): ReadonlyArray<ReadonlyArray<string>> => [
  ["id", String(letter.id)],
  ["time", new Date(letter.time).toISOString()],
  ["queue", letter.queue],
  ["stream", letter.stream],
  ["stage", `${letter.stage.node} (:${letter.stage.capability}, ${letter.stage.actor})`],
  ["why", letter.why === "policy" ? "given up on as the node's policy says" : "ended its actor again and again"],
  ["attempts", String(letter.attempts)],
  ["sequence", String(letter.sequence)],
  ["error", `${letter.error.name}: ${letter.error.message}`],
  ["value" in letter.item ? "item" : "item, as text", textOf(letter.item)],
  ...(letter.state === undefined ? [] : [["state", toText(letter.state, textLimit())]])
]

const asData = ({ item, time, ...letter }: DeadLetterRecord) => ({
  ...letter,
  time: new Date(time).toISOString(),
  ...("value" in item ? { item: item.value } : { item: item.printed, printed: true })
})

const drop = async (host: StreamHost, selection: DeadLetterSelection, { output }: Invocation): Promise<number> => {
  const dropped = await host.deadLetters.remove(selection)
  await output.problem(`${dropped} ${dropped === 1 ? "letter was" : "letters were"} dropped.`)
  return exitStatus.done
}

/** What is taken away is always named: there is no default. */
const selected = (action: string, ids: ReadonlyArray<number>, { flags: { all, queue } }: Invocation): DeadLetterSelection => {
  if ([ids.length > 0, queue !== undefined, all === true].filter(Boolean).length !== 1) {
    throw new UsageError(`dead-letters ${action} takes one of these: the ids of letters, --queue QUEUE, or --all.`, "dead-letters")
  }
  return ids.length > 0 ? { ids } : { queue }
}

const idOf = (written: string): number => {
  if (/^[1-9]\d{0,14}$/.test(written)) return Number(written)
  throw new UsageError(`${JSON.stringify(written)} is no id of a letter; dead-letters list shows them.`, "dead-letters")
}

const everywhere: ReadonlyArray<FlagName> = ["data-dir", "store", "debug"]
const ofAction: Readonly<Record<string, ReadonlyArray<FlagName>>> = {
  list: ["queue", "limit", "after", "json"],
  show: ["json"],
  drop: ["queue", "all"]
}

/** A flag that means nothing to this action is a mistake. */
const checkFlags = (action: string, { flags }: Invocation): void => {
  const taken = ofAction[action]
  const strange = taken && Object.keys(flags).find((name) => !everywhere.includes(name as FlagName) && !taken.includes(name as FlagName))
  if (strange !== undefined) throw new UsageError(`dead-letters ${action} takes no --${strange}.`, "dead-letters")
  for (const name of action === "replay" ? (["limit", "after"] as const) : []) {
    if (flags[name] !== undefined) throw new UsageError(`dead-letters replay takes no --${name}.`, "dead-letters")
  }
}
