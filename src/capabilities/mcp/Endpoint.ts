import { isKeyword, isPlainMap } from "../../serialization/index.ts"
import { InvalidCall, shown } from "../errors.ts"

/** What an endpoint says by itself, before any server is asked. */
export type Endpoint =
  | { readonly kind: "tool"; readonly server: string | undefined; readonly name: string }
  | { readonly kind: "resource"; readonly server: string | undefined; readonly uri: string }
  | { readonly kind: "sse"; readonly url: string }
  /** A name that only a catalogue, a server or a base URL gives a meaning. */
  | { readonly kind: "name"; readonly name: string }

/** `:endpoint` of `mcp.stream.start`: a map or a text. **Fails** by throwing `InvalidCall`. */
export const readEndpoint = (capability: string, written: unknown): Endpoint => {
  if (isKeyword(written)) return readText(capability, written.name)
  if (typeof written === "string") return readText(capability, written.trim())
  if (typeof written === "object" && written !== null && isPlainMap(written)) return readMap(capability, written)
  throw new InvalidCall(
    capability,
    `needs :endpoint as a text or a map such as {:server "weather" :tool "watch"}, but got ${shown(written)}.`,
    "endpoint"
  )
}

const readMap = (capability: string, map: Readonly<Record<string, unknown>>): Endpoint => {
  const refuse = (problem: string) =>
    new InvalidCall(capability, `has an :endpoint that ${problem}; it takes {:server :tool}, {:server :resource} or {:sse}.`, "endpoint")
  for (const [key, value] of Object.entries(map)) {
    if (!["server", "tool", "resource", "sse"].includes(key)) throw refuse(`has the unknown key :${key}`)
    if (typeof value !== "string" || value === "") throw refuse(`has no text as :${key}`)
  }
  const { resource, server, sse, tool } = map as { readonly [key: string]: string | undefined }
  if ([resource, sse, tool].filter((given) => given !== undefined).length !== 1) throw refuse("must have one of :tool, :resource and :sse")
  if (sse !== undefined) {
    if (server !== undefined) throw refuse("has a :server beside :sse")
    return { kind: "sse", url: sse }
  }
  return tool === undefined ? { kind: "resource", server, uri: resource! } : { kind: "tool", server, name: tool }
}

const readText = (capability: string, text: string): Endpoint => {
  // An empty one is the base URL itself.
  if (/^https?:\/\//i.test(text)) return { kind: "sse", url: text }
  const [, server, kind, rest] = /^(?:([A-Za-z0-9._-]+)\/)?(tool|resource|sse):(.*)$/s.exec(text) ?? []
  if (kind === undefined) return { kind: "name", name: text }
  if (rest === undefined || rest === "") throw new InvalidCall(capability, `has an :endpoint with nothing behind ${kind}:.`, "endpoint")
  if (kind === "tool") return { kind, server, name: rest }
  if (kind === "resource") return { kind, server, uri: rest }
  if (server !== undefined) throw new InvalidCall(capability, "has a server in front of sse:, which is a URL already.", "endpoint")
  return { kind: "sse", url: rest }
}

/** The id of a stream: `mcp-weather-monitor-v1-` and a random part. */
export const streamIdOf = (endpoint: Endpoint, random: string): string => {
  const name =
    endpoint.kind === "tool" || endpoint.kind === "name" ? endpoint.name : endpoint.kind === "resource" ? endpoint.uri : endpoint.url
  const plain = name
    .replace(/[?#].*$/s, "")
    .replaceAll(".", "-")
    .replaceAll(/[^A-Za-z0-9_-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 80)
  return `mcp-${plain === "" ? "stream" : plain}-${random}`
}

/** The URL of a name below a base, as a path of it. */
export const urlBelow = (base: string, name: string): string =>
  name === "" ? base : `${base.replace(/\/$/, "")}/${name.replace(/^\//, "")}`
