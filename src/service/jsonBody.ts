import type { IncomingMessage } from "node:http"
import { HttpProblem } from "./errors.ts"

/** The longest body of a request. */
export const mostBodyBytes = 1024 * 1024

/** How deep its values may be nested. */
export const deepestBody = 64

/**
 * The body of a request as JSON; `undefined` where there is none.
 *
 * **Fails** with `HttpProblem` for what is too long, too deep, or no JSON.
 * **Bounds** 1 MB, which is read no further; depth 64, which is looked at before anything is parsed.
 */
export const readJson = async (request: IncomingMessage): Promise<unknown> => {
  const bytes = await readBody(request)
  if (bytes.length === 0) return undefined
  const type = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase()
  if (type !== "application/json")
    throw new HttpProblem(415, "The body of the request is not said to be JSON", "Send it with Content-Type: application/json.")
  const text = decode(bytes)
  if (text === undefined || depthOf(text) > deepestBody) {
    throw new HttpProblem(
      400,
      text === undefined ? "The body is not UTF-8" : `The body is nested deeper than ${deepestBody} levels`,
      "Send plain JSON."
    )
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new HttpProblem(400, "The body is no JSON", "Send one JSON value, or no body at all.")
  }
}

const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  const tooLong = () => new HttpProblem(413, `The body is longer than ${mostBodyBytes} bytes`, "Send less.", { connection: "close" })
  if (Number(request.headers["content-length"] ?? 0) > mostBodyBytes) throw tooLong()
  const chunks: Array<Buffer> = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes > mostBodyBytes) throw tooLong()
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

const decode = (bytes: Buffer): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** How deep brackets are nested outside of strings. `JSON.parse` itself takes millions of levels. */
export const depthOf = (text: string): number => {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (inString) {
      if (character === 92) at++
      else if (character === 34) inString = false
    } else if (character === 34) inString = true
    else if (character === 91 || character === 123) deepest = Math.max(deepest, ++depth)
    else if (character === 93 || character === 125) depth--
  }
  return deepest
}
