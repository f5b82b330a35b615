import { createReadStream } from "node:fs"
import { open, readFile } from "node:fs/promises"
import { extname } from "node:path"
import { createInterface } from "node:readline"
import { parseJson } from "../rtfs/index.ts"
import { decodeFrame, decodeValue, ErrorValue, Frame, frameFromBytes, signalValue } from "../serialization/index.ts"
import { isSegment, segmentRecords } from "./segmentRecords.ts"

type Format = "msgpack" | "json" | "ndjson"

/** A file does not hold what its format says. */
export class UndecodableFile extends Error {
  readonly _tag = "UndecodableFile"

  constructor(file: string, where: string, problem: string) {
    super(`${file}${where}: ${problem}`)
  }
  override get name() {
    return this._tag
  }
}

const formats: Readonly<Record<string, Format>> = {
  ".json": "json",
  ".ndjson": "ndjson",
  ".jsonl": "ndjson",
  ".msgpack": "msgpack",
  ".seg": "msgpack"
}

/** By the name, else by the first bytes: JSON starts with one of few characters, which no frame and no map of ours does. */
export const formatOf = async (file: string): Promise<Format> => {
  const known = formats[extname(file).toLowerCase()]
  if (known !== undefined) return known
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64, 0)
    return /^\s*["{[\dtfn-]/.test(buffer.toString("latin1", 0, bytesRead)) ? "ndjson" : "msgpack"
  } finally {
    await handle.close()
  }
}

type Contents = (file: string, note: (text: string) => void) => AsyncIterable<unknown>

/**
 * The values in a file, by its format.
 *
 * **Fails** with `UndecodableFile`, after the values before the damage.
 * **Bounds** NDJSON is read line by line; JSON and msgpack are held in memory.
 */
export const contents: Readonly<Record<Format, Contents>> = {
  json: async function* (file) {
    yield explained(file, "", async () => parseJson(await readFile(file, "utf8")))
  },

  ndjson: async function* (file) {
    let number = 0
    for await (const line of createInterface({ input: createReadStream(file, "utf8"), crlfDelay: Infinity })) {
      number++
      if (line.trim() !== "") yield explained(file, `:${number}`, () => parseJson(line))
    }
  },

  msgpack: async function* (file, note) {
    const bytes = await readFile(file)
    if (!isSegment(bytes)) return yield* valuesOf(bytes, file, "", {})
    const { cutBytes, records } = await explained(file, "", () => segmentRecords(file, bytes))
    for await (const { payload, sequence } of records) yield* valuesOf(payload, file, `, record ${sequence}`, { record: sequence })
    if (cutBytes > 0) note(`${file} ends with ${cutBytes} bytes of a record that was not written to its end.`)
  }
}

/** A frame as its header and its items; anything else as one value. */
const valuesOf = async function* (bytes: Uint8Array, file: string, where: string, header: object): AsyncIterable<unknown> {
  const decoded = await explained(file, where, () => (isFrame(bytes) ? frameFromBytes(bytes) : decodeValue(bytes)))
  if (!(decoded instanceof Frame)) return yield plain(decoded)
  const { count, kind, sequence, stream, time } = decoded
  yield { ...header, frame: kind, stream, sequence, count, time }
  const items = await explained(file, where, () => (kind === "data" ? decodeFrame(decoded) : [signalValue(decoded)]))
  for (const item of items) yield plain(item)
}

/** A frame is an array of nine whose first element is a small number: its version. */
const isFrame = (bytes: Uint8Array): boolean => bytes[0] === 0x99 && bytes[1]! < 0x80

/** Outside of a program an error is what it tells of itself. */
const plain = (value: unknown): unknown =>
  value instanceof ErrorValue ? { type: value.type, message: value.message, data: value.data } : value

const explained = async <Value>(file: string, where: string, decodeIt: () => Value | Promise<Value>): Promise<Value> => {
  try {
    return await decodeIt()
  } catch (cause) {
    // Errors of the operating system name the file themselves.
    if ((cause as NodeJS.ErrnoException).syscall !== undefined) throw cause
    throw new UndecodableFile(file, where, (cause as Error).message)
  }
}
