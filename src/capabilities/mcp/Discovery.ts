import { McpFailure } from "./errors.ts"
import { isRawSse } from "./isRawSse.ts"
import type { McpServer } from "./McpAccess.ts"
import { connect, requestTimeoutMs } from "./McpConnection.ts"
import { offersOf } from "./serverOffers.ts"
import type { ChunkReceiver, StreamTransport } from "./StreamTransport.ts"
import type { Perform } from "./waiting.ts"

export interface DiscoveryOptions {
  readonly server: Exclude<McpServer, { transport: "raw-sse" }>
  readonly name: string
  readonly perform: Perform
  readonly timeoutMs: number
  readonly idleMs: number | undefined
  readonly toTool: (tool: string) => StreamTransport
  readonly toResource: (uri: string) => StreamTransport
  /** Where the address may give events as they are instead of answering questions. */
  readonly raw: (() => StreamTransport) | undefined
  /** Where the server has nothing of that name. */
  readonly otherwise: (() => StreamTransport) | undefined
}

/** How many names an error lists. */
const mostListed = 12

/** A name that only the server knows the meaning of: it is asked once, then the transport that was found does the work. */
export class Discovery implements StreamTransport {
  readonly #options: DiscoveryOptions
  #found: StreamTransport | undefined

  constructor(options: DiscoveryOptions) {
    this.#options = options
  }

  /** What was found keeps its own time; until then every request has one. */
  get idleMs(): number | undefined {
    return this.#found?.idleMs ?? this.#options.idleMs
  }

  resolved(): Readonly<Record<string, unknown>> {
    return this.#found?.resolved() ?? { server: this.#options.server.name, name: this.#options.name }
  }

  isRepeatable(): boolean {
    return this.#found?.isRepeatable() ?? true
  }

  async run(receiver: ChunkReceiver, signal: AbortSignal): Promise<void> {
    this.#found ??= await this.#find(receiver, signal)
    if (!signal.aborted) await this.#found.run(receiver, signal)
  }

  async #find(receiver: ChunkReceiver, signal: AbortSignal): Promise<StreamTransport> {
    const { name, otherwise, perform, raw, server, timeoutMs, toResource, toTool } = this.#options
    if (raw !== undefined && (await isRawSse({ server, perform, receiver, signal, timeoutMs }))) return raw()
    const { client, close } = await connect({ server, perform, receiver, signal, timeoutMs })
    try {
      const options = { timeout: requestTimeoutMs(server, timeoutMs), signal }
      const { resources, resourceTemplates, tools } = await offersOf(client, options)
      const tool = tools.find((candidate) => candidate.name === name)
      const resource = resources.find((candidate) => candidate.uri === name) ?? resources.find((candidate) => candidate.name === name)
      if (tool !== undefined && resource !== undefined)
        throw this.#failure(`${name} is a tool and a resource of the server`, `Write "tool:${name}" or "resource:${resource.uri}".`)
      if (tool !== undefined) return toTool(name)
      if (resource !== undefined) return toResource(resource.uri)
      if (resourceTemplates.some(({ uriTemplate }) => isInstance(uriTemplate, name))) return toResource(name)
      if (otherwise !== undefined) return otherwise()
      throw this.#failure(
        `the server ${server.name} has no tool and no resource ${JSON.stringify(name)}`,
        `It has the tools ${listed(tools.map((each) => each.name))} and the resources ${listed(resources.map(({ uri }) => uri))}.`
      )
    } finally {
      await close()
    }
  }

  #failure(problem: string, fix: string): McpFailure {
    return new McpFailure({ stream: this.#options.name, reason: "endpoint", problem, fix })
  }
}

const listed = (names: ReadonlyArray<string>): string =>
  names.length === 0
    ? "(none)"
    : `${names.slice(0, mostListed).join(", ")}${names.length > mostListed ? ` and ${names.length - mostListed} more` : ""}`

/** Whether a URI is one that a template such as `weather://{city}` stands for. */
export const isInstance = (template: string, uri: string): boolean => {
  // Templates of a peer: plain pieces in order, so that no pattern of theirs can be made to run for ever.
  const pieces = template.split(/\{[^{}]*\}/)
  if (pieces.length === 1) return template === uri
  const [first, last] = [pieces[0]!, pieces.at(-1)!]
  if (!uri.startsWith(first) || !uri.endsWith(last) || uri.length < first.length + last.length + 1) return false
  let at = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = uri.indexOf(piece, at + 1)
    if (found === -1) return false
    at = found + piece.length
  }
  return at < uri.length - last.length + (last === "" ? 1 : 0)
}
