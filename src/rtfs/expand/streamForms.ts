import { brace, type BraceForm, type Form, list, type ListForm, literal, vector } from "../Form.ts"
import type { Position } from "../Position.ts"
import {
  argumentsOf,
  call,
  callback,
  callbacks,
  key,
  keywordArguments,
  literalEntries,
  type Lowering,
  type LoweringContext,
  malformed,
  map,
  sym,
  withOptions
} from "./building.ts"

const register = (at: Position, handle: Form, spec: Form, more: ReadonlyArray<readonly [string, Form]>): Form => {
  const entries = literalEntries(spec)
  return call(
    at,
    "marketplace.stream.register-callbacks",
    map(at, [["handle", handle], ...(entries === undefined ? [["callbacks", spec] as const] : callbacks(entries)), ...more])
  )
}

/** Whether braces are `{name => body…}`. */
const isChannel = (form: Form | undefined): form is BraceForm =>
  form?.kind === "brace" && form.items.length >= 3 && form.items[1]?.kind === "symbol" && form.items[1].name === "=>"

/**
 * Takes items one after the other: `next` answers `{:status :item :item …}`, `{:status :items :items […]}`,
 * `{:status :timeout}`, `{:status :end}` or `{:status :error :error …}`. A timeout asks again, the end gives nil.
 */
const pull = (
  at: Position,
  handle: Form,
  channel: BraceForm,
  more: ReadonlyArray<readonly [string, Form]>,
  context: LoweringContext
): Form => {
  const [target, , ...body] = channel.items
  const next = sym(context.fresh("next"), at)
  const again = list([sym("recur", at)], at)
  const field = (name: string): Form => list([key(name, at), next], at)
  const request = call(at, "marketplace.stream.next", map(at, [["handle", handle], ["timeout_ms", literal(1000, at)], ...more]))
  const each = (items: Form): Form => list([sym("doseq", at), vector([target!, items], at), ...body], at)
  const one = list([sym("let", at), vector([target!, field("item")], at), ...body], at)
  return list(
    [
      sym("loop", at),
      vector([], at),
      list(
        [
          sym("let", at),
          vector([next, request], at),
          list(
            [
              sym("case", at),
              field("status"),
              key("item", at),
              list([sym("do", at), one, again], at),
              key("items", at),
              list([sym("do", at), each(field("items")), again], at),
              key("timeout", at),
              again,
              key("end", at),
              literal(null, at),
              key("error", at),
              list([sym("throw", at), field("error")], at)
            ],
            at
          )
        ],
        at
      )
    ],
    at
  )
}

/** Evaluates a handle once where it is used several times. */
const withHandle = (at: Position, handle: Form, context: LoweringContext, build: (handle: Form) => ReadonlyArray<Form>): Form => {
  if (handle.kind === "symbol") {
    const forms = build(handle)
    return forms.length === 1 ? forms[0]! : list([sym("do", at), ...forms], at)
  }
  const name = sym(context.fresh("handle"), at)
  return list([sym("let", at), vector([name, handle], at), ...build(name)], at)
}

const consume: Lowering = (form, context) => {
  const [handle, spec, options] = argumentsOf(form, 2, 3, "(stream-consume handle {item => body} options?)")
  const more = options === undefined ? [] : [["options", options] as const]
  if (isChannel(spec)) return withHandle(form.at, handle!, context, (once) => [pull(form.at, once, spec, more, context)])
  return register(form.at, handle!, spec!, more)
}

const interact: Lowering = (form, context) => {
  const expected = "(stream-interact handle :send message :receive {reply => body})"
  const handle = form.items[1]
  if (handle === undefined) throw malformed(form, expected)
  const entries = keywordArguments(form, 2, expected)
  const receive = entries.find(([name]) => name === "receive")?.[1]
  const send = entries.find(([name]) => name === "send")?.[1]
  if (!isChannel(receive)) {
    return call(
      form.at,
      "marketplace.stream.interact",
      map(form.at, [["handle", handle], ...entries.map(([name, value]) => [name, interactConfig(name, value)] as const)])
    )
  }
  const others = entries.filter(([name]) => name !== "receive" && name !== "send")
  return withHandle(form.at, handle, context, (once) => [
    ...(send === undefined
      ? []
      : [
          call(
            form.at,
            "marketplace.stream.send",
            map(form.at, [
              ["handle", once],
              ["item", send]
            ])
          )
        ]),
    pull(form.at, once, receive, others, context)
  ])
}

const interactConfig = (name: string, value: Form): Form => {
  const entries = name === "config" ? literalEntries(value) : undefined
  return entries === undefined ? value : map(value.at, callbacks(entries))
}

const mcpStream: Lowering = (form, context) => {
  const args = argumentsOf(form, 2, 4, "(mcp-stream endpoint config? processor initial-state?)")
  const configured = args.length === 4 || (args.length === 3 && args[1]!.kind === "brace")
  const [endpoint, config] = args
  const [processor, initial] = args.slice(configured ? 2 : 1)
  const { at } = form
  return call(
    at,
    "mcp.stream.start",
    map(at, [
      ["endpoint", endpoint!.kind === "symbol" && !context.isOwn(endpoint!.name) ? literal(endpoint!.name, at) : endpoint!],
      ...(configured ? [["config", config!] as const] : []),
      ["processor", processorName(processor!, context)],
      ["initial-state", initial ?? brace([], at)]
    ])
  )
}

/** A processor is stored by name, so that a resumed stream finds it again; a local or written-out function is handed over. */
const processorName = (form: Form, context: LoweringContext): Form => {
  const target = callback(form)
  return target.kind === "symbol" && !context.isLocal(target.name) ? literal(target.name, form.at) : target
}

const source: Lowering = (form, context) => {
  const [id, options] = argumentsOf(form, 1, 2, "(stream-source id {:config …})")
  const { at } = form
  const entries = literalEntries(options)
  if (options === undefined || entries !== undefined)
    return call(at, "marketplace.stream.start", map(at, [["id", id!], ...(entries ?? [])]))
  const name = sym(context.fresh("options"), at)
  const part = (field: string): readonly [string, Form] => [field, list([key(field, at), name], at)]
  const request = call(at, "marketplace.stream.start", map(at, [["id", id!], part("config"), part("schema"), part("strict-validation")]))
  return list([sym("let", at), vector([name, options], at), request], at)
}

const produce: Lowering = (form) => {
  const expected = "(stream-produce handle item options?) or (stream-produce handle :items items :options options?)"
  const handle = form.items[1]
  if (handle === undefined) throw malformed(form, expected)
  const { at } = form
  const second = form.items[2]
  if (second?.kind === "keyword" && (second.name === "items" || second.name === "item")) {
    return call(at, "marketplace.stream.send", map(at, [["handle", handle], ...keywordArguments(form, 2, expected)]))
  }
  const [, item, options] = argumentsOf(form, 2, 3, expected)
  return call(
    at,
    "marketplace.stream.send",
    map(at, [["handle", handle], ["item", item!], ...(options === undefined ? [] : [["options", options] as const])])
  )
}

const transform: Lowering = (form) => {
  const entries = keywordArguments(form, 1, "(stream-transform :input-stream in :output-stream out :transform-fn f :config c)")
  const { at } = form
  if (entries.length === 1 && entries[0]![0] === "fn")
    return map(at, [
      ["stage", key("transform", at)],
      ["fn", callback(entries[0]![1])]
    ])
  return call(
    at,
    "marketplace.stream.transform",
    map(
      at,
      entries.map(([name, value]) => [name, name.endsWith("-fn") ? callback(value) : interactConfig(name, value)])
    )
  )
}

const withId =
  (id: string, name: string): Lowering =>
  (form) => {
    const [value, options] = argumentsOf(form, 1, 2, `(${name} id options?)`)
    return call(form.at, id, map(form.at, [["id", value!], ...withOptions(options)]))
  }

const withHandleAnd =
  (id: string, name: string): Lowering =>
  (form) => {
    const [handle, options] = argumentsOf(form, 1, 2, `(${name} handle options?)`)
    return call(form.at, id, map(form.at, [["handle", handle!], ...callbacks(withOptions(options))]))
  }

const withKeywords =
  (id: string, name: string): Lowering =>
  (form) =>
    call(form.at, id, map(form.at, callbacks(keywordArguments(form, 1, `(${name} :option value …)`))))

const pipeline: Lowering = (form) => {
  const [stages] = argumentsOf(form, 1, 1, "(stream-pipeline [stage …])")
  return map(form.at, [
    ["type", key("stream-pipeline", form.at)],
    ["stages", stages!]
  ])
}

const execute: Lowering = (form) => {
  const [plan, options] = argumentsOf(form, 1, 2, "(stream-execute pipeline options?)")
  return call(form.at, "marketplace.stream.execute", map(form.at, [["pipeline", plan!], ...callbacks(withOptions(options))]))
}

const multiplex: Lowering = (form) => {
  const [streams, options] = argumentsOf(form, 1, 2, "(stream-multiplex [handle …] options?)")
  return call(form.at, "marketplace.stream.multiplex", map(form.at, [["streams", streams!], ...withOptions(options)]))
}

const streamCallbacks: Lowering = (form) => {
  const expected = "(stream-callbacks :stream-handle handle :events {:on-item f …})"
  const entries = keywordArguments(form, 1, expected)
  const handle = entries.find(([name]) => name === "stream-handle" || name === "handle")?.[1]
  const events = entries.find(([name]) => name === "events")?.[1]
  if (handle === undefined || events === undefined) throw malformed(form, expected)
  return register(
    form.at,
    handle,
    events,
    entries.filter(([name]) => name !== "stream-handle" && name !== "handle" && name !== "events")
  )
}

/** `(breaker:call thunk)` runs a function through the circuit breaker that the name in front is bound to. */
export const breakerCall = (form: ListForm, name: string): Form => {
  const [thunk] = argumentsOf(form, 1, 1, `(${name}:call function)`)
  return call(
    form.at,
    "marketplace.stream.circuit-breaker.call",
    map(form.at, [
      ["breaker", sym(name, form.at)],
      ["function", thunk!]
    ])
  )
}

/** The stream forms, by head. */
export const streamForms: Readonly<Record<string, Lowering>> = {
  "mcp-stream": mcpStream,
  "stream-source": source,
  "stream-consume": consume,
  "stream-sink": withId("marketplace.stream.open-sink", "stream-sink"),
  "stream-produce": produce,
  "stream-transform": transform,
  "stream-bidirectional": withId("marketplace.stream.open-bidirectional", "stream-bidirectional"),
  "stream-interact": interact,
  "stream-duplex": withKeywords("marketplace.stream.open-duplex", "stream-duplex"),
  "stream-pipeline": pipeline,
  "stream-execute": execute,
  "stream-multiplex": multiplex,
  "stream-demultiplex": withHandleAnd("marketplace.stream.demultiplex", "stream-demultiplex"),
  "stream-callbacks": streamCallbacks,
  "register-stream-capability": withKeywords("marketplace.stream.register", "register-stream-capability"),
  "stream-circuit-breaker": withKeywords("marketplace.stream.circuit-breaker", "stream-circuit-breaker"),
  "stream-profile": withHandleAnd("marketplace.stream.profile", "stream-profile"),
  "stream-close": withHandleAnd("marketplace.stream.close", "stream-close")
}
