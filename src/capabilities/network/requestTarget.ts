import type { NetworkAccess } from "../../actors/index.ts"
import { InvalidCall } from "../errors.ts"
import { NetworkFailure } from "./errors.ts"

const defaultPorts: Readonly<Record<string, string>> = { "http:": "80", "ws:": "80", "https:": "443", "wss:": "443" }

/** `host:port` of a URL, as grants name it. */
export const peerOf = (url: URL): string => `${url.hostname}:${url.port === "" ? defaultPorts[url.protocol] : url.port}`

export const withoutTls = ["http:", "ws:"]

/**
 * The URL that a program wrote, with its secrets still as names: for messages, grants and checks.
 *
 * **Fails** by throwing `InvalidCall` for another scheme, for credentials in the URL, and for a secret in what names the peer.
 */
export const readUrl = (capability: string, written: unknown, schemes: ReadonlyArray<string>): URL => {
  const refuse = (problem: string) => new InvalidCall(capability, problem, "url")
  if (typeof written !== "string") throw refuse("needs a URL as text.")
  const [authority] = /^[a-z]+:\/\/[^/?#\\]*/i.exec(written) ?? [""]
  if (authority.includes("{{")) throw refuse("can't have a secret in the host of its URL; secrets may stand behind it, and in headers.")
  const url = URL.parse(written)
  if (url === null) throw refuse(`needs an absolute URL such as ${schemes[0]}//api.example.com/orders.`)
  if (!schemes.includes(url.protocol))
    throw refuse(`can't use ${url.protocol}//; it takes ${schemes.map((scheme) => `${scheme}//`).join(" and ")}.`)
  if (url.username !== "" || url.password !== "") {
    throw refuse(
      'can\'t have a user name or password in its URL; give them as a header, such as {"Authorization" "Bearer {{secret:TOKEN}}"}.'
    )
  }
  return url
}

/** The URL that goes to the peer, its secrets revealed. */
export const revealedUrl = (network: NetworkAccess, written: string): URL => new URL(network.reveal(written, encodeURIComponent))

/** The peer as a grant and `explain` name it, where the URL is one. */
export const touchedPeer = (url: unknown): ReadonlyArray<{ readonly effect: ":network"; readonly host: string }> => {
  const parsed = typeof url === "string" ? URL.parse(url) : null
  return parsed === null || defaultPorts[parsed.protocol] === undefined ? [] : [{ effect: ":network", host: peerOf(parsed) }]
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** What the connection itself decides, and what programs could only break. */
const ours =
  /^(host|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|accept-encoding|range|if-range|last-event-id|idempotency-key|proxy-.*|sec-websocket-.*)$/i

/** What says nothing of who asks. All others stay behind when a redirect leads to another origin. */
const harmless = /^(accept|accept-language|content-type|user-agent)$/i

/**
 * The headers that a program gave, with their secrets still as names.
 *
 * **Fails** by throwing `InvalidCall` for a name that is none, one that the connection decides, and text that a header can't hold.
 */
export const readHeaders = (capability: string, headers: unknown): Readonly<Record<string, string>> => {
  if (headers === undefined || headers === null) return {}
  const read: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers as Record<string, unknown>)) {
    if (!token.test(name))
      throw new InvalidCall(capability, `has a header with the name ${JSON.stringify(name)}, which can't be one.`, "headers")
    if (ours.test(name)) throw new InvalidCall(capability, `can't set the header ${name}, which the connection itself decides.`, "headers")
    if (typeof value !== "string" && typeof value !== "number")
      throw new InvalidCall(capability, `needs text for the header ${name}.`, "headers")
    if (!isHeaderText(String(value)))
      throw new InvalidCall(capability, `has a header ${name} with characters that a header can't hold.`, "headers")
    if (Object.keys(read).some((other) => other.toLowerCase() === name.toLowerCase()))
      throw new InvalidCall(capability, `has the header ${name} twice.`, "headers")
    read[name] = String(value)
  }
  return read
}

/** No line ends, so that a value can't become a header of its own. */
const isHeaderText = (value: string): boolean => /^[\t\x20-\x7e\x80-\xff]*$/.test(value)

/** The headers for a peer, their secrets revealed; for another origin than the program named, only those that tell nothing. */
export const revealedHeaders = (
  network: NetworkAccess,
  url: string,
  headers: Readonly<Record<string, string>>,
  isOtherOrigin: boolean
): Record<string, string> => {
  const revealed: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (isOtherOrigin && (!harmless.test(name) || value.includes("{{secret:"))) continue
    revealed[name] = network.reveal(value)
    if (isHeaderText(revealed[name])) continue
    throw new NetworkFailure({
      url,
      operation: "send to",
      problem: `a secret makes the header ${name} something that a header can't hold`,
      fix: "Check the secret: a line end at its end is a common mistake."
    })
  }
  return revealed
}
