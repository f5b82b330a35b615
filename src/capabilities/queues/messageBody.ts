import { decodeValue, encodeValue, type JsonLineParser } from "../../serialization/index.ts"
import { deadLetterType, type Delivery } from "../../state/index.ts"
import { jsonText } from "../files/JsonText.ts"
import { parseJson } from "../files/JsonValue.ts"

/** How values are messages. `auto`: text as text, bytes as bytes, anything else as JSON; what comes says by its type what it is. */
export type BodyFormat = "auto" | "json" | "text" | "binary" | "values"

const valuesType = "application/vnd.rtfs-streams.value"

export interface Body {
  readonly body: Uint8Array
  readonly contentType: string
}

/** **Fails** by throwing where the value has no form in the format. */
export const encodeBody = (value: unknown, format: BodyFormat): Body => {
  const kind = format === "auto" ? (typeof value === "string" ? "text" : value instanceof Uint8Array ? "binary" : "json") : format
  switch (kind) {
    case "text":
      if (typeof value !== "string") throw new TypeError(`With :format :text a message is a string, and this is none: ${typeof value}.`)
      return { body: Buffer.from(value), contentType: "text/plain; charset=utf-8" }
    case "binary":
      if (!(value instanceof Uint8Array)) throw new TypeError(`With :format :binary a message is bytes, and this is none: ${typeof value}.`)
      return { body: value, contentType: "application/octet-stream" }
    case "values":
      return { body: encodeValue(value), contentType: valuesType }
    default:
      return { body: Buffer.from(jsonText(value)), contentType: "application/json" }
  }
}

/** Fewer than so many are not worth it. */
const fewest = 4

/**
 * The bodies of messages that came together, where all of them are JSON: reading them at once takes less time than reading each.
 *
 * @param parser of the consumer: it learns how the bodies look
 * @returns none where they have to be read one by one, because it is not sure that this gives the same
 */
export const jsonBodiesOf = (
  deliveries: ReadonlyArray<Delivery>,
  format: BodyFormat,
  parser: JsonLineParser
): ReadonlyArray<unknown> | undefined => {
  if (deliveries.length < fewest) return undefined
  const isJson = ({ contentType }: Delivery) =>
    contentType !== deadLetterType && (format === "auto" ? formatOfType(contentType ?? "") : format) === "json"
  if (!deliveries.every(isJson)) return undefined
  const all: Array<unknown> = []
  for (let from = 0; from < deliveries.length;) {
    let bytes = 0
    let to = from
    while (to < deliveries.length && bytes + deliveries[to]!.body.byteLength < mostTogether) bytes += deliveries[to++]!.body.byteLength + 1
    const block = Buffer.allocUnsafe(bytes)
    let at = 0
    for (let i = from; i < to; i++) {
      const { body } = deliveries[i]!
      block.set(body, at)
      at += body.byteLength
      block[at++] = lineFeed
    }
    // One with line feeds of its own would be more than one; one that is too long is alone, and none.
    const values = parser.parse(block)?.values
    if (values === undefined || values.length !== to - from) return undefined
    for (const value of values) all.push(value)
    from = to
  }
  return all
}

const lineFeed = 10

/** As much as the parser reads at once. */
const mostTogether = 64 * 1024

/**
 * A message as a program sees it: it is encoded before anything may change it. **Fails** by throwing where the body is not what its
 * type, or the format, says.
 *
 * @param read its body, where it was read before
 */
export const messageOf = (delivery: Delivery, format: BodyFormat, read?: unknown): Readonly<Record<string, unknown>> => {
  const { attempts, headers, id, time } = delivery
  if (delivery.contentType === deadLetterType) {
    const { format: _, item, ...rest } = decodeValue(delivery.body) as { readonly format: unknown; readonly item: Record<string, unknown> }
    return { id, body: item["value"] ?? item["printed"] ?? null, attempts, "sent-at": time ?? null, headers: {}, "dead-letter": rest }
  }
  return { id, body: read === undefined ? decodeBody(delivery, format) : read, attempts, "sent-at": time ?? null, headers }
}

const decodeBody = ({ body, contentType = "" }: Delivery, format: BodyFormat): unknown => {
  switch (format === "auto" ? formatOfType(contentType) : format) {
    case "json":
      return parseJson(textOf(body))
    case "values":
      return decodeValue(body)
    case "binary":
      return new Uint8Array(body)
    case "text":
      return textOf(body)
    default:
      // Nobody says what it is.
      try {
        return textOf(body)
      } catch {
        return new Uint8Array(body)
      }
  }
}

const formatOfType = (contentType: string): BodyFormat | undefined => {
  if (contentType === "application/json") return "json"
  if (contentType.startsWith(valuesType)) return "values"
  if (/^application\/(json|[\w.-]+\+json)\b/.test(contentType)) return "json"
  if (contentType.startsWith("text/")) return "text"
  return contentType.startsWith("application/octet-stream") ? "binary" : undefined
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const textOf = (body: Uint8Array): string => utf8.decode(body)
