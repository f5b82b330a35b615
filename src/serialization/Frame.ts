import { decodeValue, encodeValue } from "./Codec.ts"
import { readColumns } from "./ColumnDecoder.ts"
import { MalformedBytes } from "./errors.ts"
import { ErrorValue } from "./ErrorValue.ts"
import { readJsonLines } from "./JsonLines.ts"
import { readLines } from "./Lines.ts"
import { ValueReader } from "./ValueReader.ts"
import { ValueWriter } from "./ValueWriter.ts"

/** What a frame is for. Only data frames hold items; the others carry one value each and keep their place among them. */
export type FrameKind = "data" | "watermark" | "barrier" | "directive" | "error" | "end"

/** How the body of a frame is laid out: one value, an array of items, columns of items that are alike, lines as they were read, or lines of JSON. */
export type FrameLayout = "value" | "rows" | "columns" | "lines" | "json"

/**
 * A batch of items, or one signal, as bytes, or as copies of which bytes are made on demand: the only thing that travels
 * between actors.
 *
 * It stands for itself and never changes, so that it can be delivered again after a crash, handed to several receivers,
 * written to disk or moved to another thread.
 *
 * **Units** `time` in milliseconds since 1970, by the clock of its sender.
 * **Order** `sequence` rises by one from frame to frame of a sender, signals included.
 * **Bounds** frames of one sender share blocks of at most 256 KiB, so that a frame which is held may keep one such block.
 */
export class Frame {
  readonly kind: FrameKind
  readonly layout: FrameLayout
  readonly stream: string
  readonly sequence: number
  /** How many items it holds; 0 for a signal. */
  readonly count: number
  readonly time: number
  /** The bytes that the frame counts for: those of its body and a header at its longest; of kept items what they take in memory. */
  readonly byteLength: number
  /** Copies of the items in place of bytes, which are made of them when somebody asks for `body`. Nobody changes them. */
  readonly kept: ReadonlyArray<unknown> | undefined
  /** Left out until somebody asks for `body`. */
  private encoded: Uint8Array | undefined
  /** The items themselves, for the one receiver that comes first: see `takeItems`. */
  handover: Handover | undefined

  /** @param fields.body left out where `kept` has the items, whose layout is `rows` */
  constructor(fields: {
    readonly kind: FrameKind
    readonly layout: FrameLayout
    readonly stream: string
    readonly sequence: number
    readonly count: number
    readonly time: number
    readonly body: Uint8Array | KeptItems
  }) {
    const { body } = fields
    const isKept = !(body instanceof Uint8Array)
    this.kind = fields.kind
    this.layout = fields.layout
    this.stream = fields.stream
    this.sequence = fields.sequence
    this.count = fields.count
    this.time = fields.time
    this.byteLength = headerBytes + fields.stream.length + (isKept ? body.bytes : body.byteLength)
    this.kept = isKept ? body.items : undefined
    this.encoded = isKept ? undefined : body
    this.handover = undefined
  }

  /** One msgpack value, as `layout` says. Not to be changed. */
  get body(): Uint8Array {
    return (this.encoded ??= rowBytes(this.kept!))
  }
}

/** Items that a frame has in place of bytes: such as decoding gives, and of which each has bytes. */
export interface KeptItems {
  readonly items: ReadonlyArray<unknown>
  /** What they take in memory, about. */
  readonly bytes: number
}

/** Items on their way beside the bytes that stand for them; gone once they are taken, or withdrawn. */
export interface Handover {
  items: Array<unknown> | undefined
}

/** What a header takes beside the name of its stream: six small fields at their longest. */
const headerBytes = 40

/**
 * A frame without items. `value` is what the receiver gets from `signalValue`: the watermark's time, the barrier's
 * checkpoint, the error.
 *
 * **Fails** with `UnencodableValue`, but never for an error: data that can't be encoded is left out of it.
 */
export const signalFrame = (fields: {
  readonly kind: Exclude<FrameKind, "data">
  readonly stream: string
  readonly sequence: number
  readonly time: number
  readonly value?: unknown
}): Frame =>
  new Frame({ ...fields, layout: "value", count: 0, body: fields.kind === "error" ? errorBytes(fields.value) : encodeValue(fields.value) })

const errorBytes = (error: unknown): Uint8Array => {
  try {
    return encodeValue(error)
  } catch (cause) {
    if (!(error instanceof Error || error instanceof ErrorValue)) throw cause
    const { message, name, type } = error instanceof Error ? ErrorValue.of(error) : error
    return encodeValue(new ErrorValue({ type, message: message.toWellFormed(), name: name?.toWellFormed() ?? null }))
  }
}

const rowBytes = (items: ReadonlyArray<unknown>): Uint8Array => {
  const writer = new ValueWriter({ canonical: false, size: 1024 })
  writer.head(items.length, 0x90, 0x10, 0)
  for (const item of items) writer.value(item)
  return writer.bytes.subarray(0, writer.position)
}

/** What a frame without items carries. */
export const signalValue = (frame: Frame): unknown => decodeValue(frame.body)

/**
 * The items of a data frame, in a new array: storing into one that is kept costs the garbage collector more.
 *
 * **Fails** with `MalformedBytes`, possible only for a frame that came from outside (`frameFromBytes`).
 * **Cost** texts may be slices of one text as long as the frame: `detach` what goes into long-lived state.
 */
export const decodeFrame = (frame: Frame): Array<unknown> => {
  const { body, count, layout } = frame
  if (layout === "json") return readJsonLines(new ValueReader(body, { sharesText: false }), count)
  // An announced count that the bytes could not fill costs nothing.
  const items = count <= body.length ? new Array<unknown>(count) : []
  const reader = new ValueReader(body, { sharesText: true })
  if (layout === "columns") readColumns(reader, count, items)
  else if (layout === "lines") readLines(reader, count, items)
  else readRows(reader, count, items)
  return items
}

/**
 * The items of a data frame for the actor that works them off: those that its sender handed over where it did, which saves
 * decoding them, otherwise as `decodeFrame` gives them. They are handed over once, so that whoever gets the frame as well or
 * again has items of its own; those that the frame keeps are not to be changed by whoever takes them.
 */
export const takeItems = (frame: Frame): Array<unknown> => {
  const { handover, kept } = frame
  if (kept !== undefined) return kept.slice()
  const items = handover?.items
  if (items === undefined) return decodeFrame(frame)
  handover!.items = undefined
  return items
}

const readRows = (reader: ValueReader, expected: number, into: Array<unknown>): void => {
  const count = reader.arrayHeader()
  if (count !== expected) reader.fail(`the frame should hold ${expected} items and holds ${count}`)
  for (let i = 0; i < count; i++) into[i] = reader.value()
  if (!reader.isAtEnd) reader.fail("more bytes follow the items")
}

const kinds: ReadonlyArray<FrameKind> = ["data", "watermark", "barrier", "directive", "error", "end"]
const layouts: ReadonlyArray<FrameLayout> = ["value", "rows", "columns", "lines", "json"]
const formatVersion = 1

/**
 * The frame as one msgpack array, for files, journals, workers and other machines:
 * `[version, kind, layout, stream, sequence, count, time, padding, body]`.
 *
 * @returns bytes in an `ArrayBuffer` of their own, free to be transferred
 */
export const frameToBytes = (frame: Frame): Uint8Array<ArrayBuffer> => {
  const header = new ValueWriter({ canonical: true, size: 128 })
  header.head(9, 0x90, 0x10, 0)
  header.number(formatVersion)
  header.number(kinds.indexOf(frame.kind))
  header.number(layouts.indexOf(frame.layout))
  header.text(frame.stream)
  header.reserve(48)
  header.number(frame.sequence)
  header.number(frame.count)
  header.number(frame.time)
  // The body starts at a multiple of 8, where columns of numbers can be read in place.
  header.binary(new Uint8Array(7 - ((header.position + 1) & 7)))
  const bytes = new Uint8Array(header.position + frame.body.byteLength)
  bytes.set(header.bytes.subarray(0, header.position))
  bytes.set(frame.body, header.position)
  return bytes
}

/**
 * A frame from the bytes of `frameToBytes`.
 *
 * @param bytes belong to the frame from now on
 *
 * **Fails** with `MalformedBytes`, also for a version that this release does not know. The items of rows are checked
 * when they are decoded.
 */
export const frameFromBytes = (bytes: Uint8Array): Frame => {
  const reader = new ValueReader(bytes, { sharesText: false })
  const size = reader.arrayHeader()
  const version = reader.value()
  if (version !== formatVersion) reader.fail(`frames of version ${String(version)} are unknown here (this release reads ${formatVersion})`)
  const [kind, layout, stream, sequence, count, time] = Array.from({ length: 6 }, () => reader.value())
  reader.value()
  const known = typeof kind === "number" ? kinds[kind] : undefined
  const shape = typeof layout === "number" ? layouts[layout] : undefined
  if (
    size !== 9
    || known === undefined
    || shape === undefined
    || typeof stream !== "string"
    || !isCount(sequence)
    || !isCount(count)
    || typeof time !== "number"
    || (known === "data") === (shape === "value")
  )
    throw new MalformedBytes({ problem: "the header of a frame is malformed", offset: 0 })
  const from = reader.position
  const body = (bytes.byteOffset + from) % 8 === 0 ? bytes.subarray(from) : bytes.slice(from)
  return new Frame({ kind: known, layout: shape, stream, sequence, count, time, body })
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
