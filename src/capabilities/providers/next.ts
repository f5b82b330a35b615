import { type CallContext, type ControlCapability, defineControl } from "../Capability.ts"
import { InvalidCall } from "../errors.ts"
import { anything, choice, count, defaulted, milliseconds, optional, required, text, wholeNumber } from "../Option.ts"
import { keyword } from "../../serialization/index.ts"
import type { Answer, Group, Outlet } from "./Outlet.ts"
import { givenStream, onPaper, outletOf } from "./opening.ts"
import { readOptions } from "./options.ts"
import type { ProvidedStream } from "./ProvidedStream.ts"
import { Waiter } from "./Waiter.ts"

const call = "marketplace.stream.next"

const handleOption = required(anything, "the stream")
const groupOption = defaulted(text, "default", "the consumer group; consumers of one group share the items among them")

export const next: ControlCapability = defineControl({
  id: call,
  summary: "Gives the next item of a stream, and waits for it where there is none yet.",
  spec: "beside §5; what `(stream-consume handle {item => body})` asks for",
  arguments: ["options"],
  options: {
    handle: handleOption,
    "timeout-ms": defaulted(milliseconds, 30_000, "how long it waits; with 0 it only looks"),
    "max-items": defaulted(count, 1, "how many items it gives at most; with more than 1 they come as a vector"),
    cursor: optional(wholeNumber, "goes on behind the item of this number, whatever the group was given before"),
    ack: defaulted(
      choice("auto", "explicit"),
      "auto",
      "whether this call acknowledges what the group was given before it; with `:explicit` only `:marketplace.stream.ack` does"
    ),
    group: groupOption
  },
  notes: [
    "The answer is a map with `:status`. `:item` (with `:item`) or `:items` (with `:items`); `:timeout`: nothing came in time; `:end`: there is nothing more; `:error` (with `:error`): the stream has failed; `:detached`: the group left meanwhile; `:gap` (with `:missed`): so many items passed by that are not kept any more, and the next call gives the oldest that is. Each has a `:cursor`, the number of the last item that the group was given.",
    "Several calls at once are served in their order, each item goes to one of them. At most 512 may wait.",
    "An item counts as worked off with the next call of the group. What was not is given again to a group that comes back; who comes back with its own `:cursor` gets what is behind that, no more and no less."
  ],
  example: "(let [h (call :stream.create [1 2 3])] (:item (call :marketplace.stream.next {:handle h})))",
  perform: ([map], context) => {
    const options = readOptions(next, map)
    const handle = givenStream(call, options.handle, context)
    const paper = onPaper(handle)
    if (paper !== undefined) return paper
    const outlet = outletOf(call, handle)
    const group = outlet.group(options.group, "next")
    // Whoever asks is told of a failure: it is not the program's any more.
    handle
      .streamOf("outlet")
      .awaitResult()
      .catch(() => {})
    if (options.cursor !== undefined) outlet.seek(group, options.cursor)
    else if (options.ack === "auto") outlet.acknowledge(group)
    const given = outlet.ask(group, options["max-items"])
    const shape = (answer: Answer) => answerMap(answer, options["max-items"] === 1, context)
    if (!(given instanceof Waiter)) return shape(given)
    return context.perform(given.within(options["timeout-ms"], () => outlet.leave(group, given))).then(shape)
  }
})

const answerMap = (answer: Answer, isSingle: boolean, context: CallContext): unknown => {
  const { cursor, status } = answer
  switch (status) {
    case "items":
      return isSingle
        ? { status: keyword("item"), item: answer.items[0], cursor }
        : { status: keyword("items"), items: answer.items, cursor }
    case "error":
      return { status: keyword("error"), error: context.marketplace.errorValue(answer.error), cursor }
    case "gap":
      return { status: keyword("gap"), missed: answer.missed, cursor }
    default:
      return { status: keyword(status), cursor }
  }
}

/** The group of a call that is about one that has taken items. */
const groupOf = (
  id: string,
  options: { readonly handle: unknown; readonly group: string },
  context: CallContext
): { outlet: Outlet; group: Group; handle: ProvidedStream } => {
  const handle = givenStream(id, options.handle, context)
  const outlet = outletOf(id, handle)
  const group = outlet.groups().find(({ name }) => name === options.group)
  if (group !== undefined) return { outlet, group, handle }
  throw new InvalidCall(
    id,
    `finds no consumer group ${options.group} of ${handle.label}: a group begins with its first :marketplace.stream.next.`,
    "group"
  )
}

export const ack: ControlCapability = defineControl({
  id: "marketplace.stream.ack",
  summary: "Acknowledges the items that a consumer group was given, up to a number.",
  spec: "beside §5",
  arguments: ["options"],
  options: {
    handle: handleOption,
    cursor: optional(wholeNumber, "the number of the last item that was worked off; by default the last that was given"),
    group: groupOption
  },
  example:
    "(let [h (call :stream.create [1 2])] (call :marketplace.stream.next {:handle h :ack :explicit}) (call :marketplace.stream.ack {:handle h}))",
  perform: ([map], context) => {
    const options = readOptions(ack, map)
    const paper = onPaper(givenStream(ack.id, options.handle, context))
    if (paper !== undefined) return paper
    const { group, outlet } = groupOf(ack.id, options, context)
    outlet.acknowledge(group, options.cursor)
    return group.acknowledged
  }
})

export const nack: ControlCapability = defineControl({
  id: "marketplace.stream.nack",
  summary: "Gives the items again that a consumer group was given and has not acknowledged.",
  spec: "beside §5",
  arguments: ["options"],
  options: { handle: handleOption, group: groupOption },
  example:
    "(let [h (call :stream.create [1 2])] (call :marketplace.stream.next {:handle h}) (call :marketplace.stream.nack {:handle h}) (:item (call :marketplace.stream.next {:handle h})))",
  perform: ([map], context) => {
    const options = readOptions(nack, map)
    const paper = onPaper(givenStream(nack.id, options.handle, context))
    if (paper !== undefined) return paper
    const { group, outlet } = groupOf(nack.id, options, context)
    outlet.giveAgain(group)
    return group.acknowledged
  }
})

export const detach: ControlCapability = defineControl({
  id: "marketplace.stream.detach",
  summary: "A consumer group leaves a stream, which goes on without it. It may come back with its cursor.",
  spec: "beside §5",
  arguments: ["options"],
  options: { handle: handleOption, group: groupOption },
  notes: [
    "Gives the number of the last item that the group has acknowledged. Its next `:marketplace.stream.next` brings it back, with a `:cursor` or behind what it has acknowledged."
  ],
  example:
    "(let [h (call :stream.create [1 2])] (call :marketplace.stream.next {:handle h}) (call :marketplace.stream.detach {:handle h}))",
  perform: ([map], context) => {
    const options = readOptions(detach, map)
    const paper = onPaper(givenStream(detach.id, options.handle, context))
    if (paper !== undefined) return paper
    const { group, outlet } = groupOf(detach.id, options, context)
    outlet.detach(group)
    return group.acknowledged
  }
})
