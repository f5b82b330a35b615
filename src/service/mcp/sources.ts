import type { McpEndpointName, McpServerAccess, McpServerName, StreamHost } from "../../host/index.ts"
import { cut, truncated } from "./shown.ts"
import { ToolProblem } from "./ToolProblem.ts"

/** What a stream can be started from, as `stream_sources` lists it. */
export interface ShownSource {
  /** What `stream_start` takes; where a name stands in capitals, one of the server's has to be put. */
  readonly endpoint: string
  readonly summary: string
  readonly [more: string]: unknown
}

/** The sources among the capabilities. */
export const ownSources = (host: StreamHost): ReadonlyArray<ShownSource> =>
  host
    .capabilities()
    .filter(({ kind }) => kind === "source")
    .map(({ arguments: names, effects, example, id, options, summary }) => ({
      endpoint: id,
      summary,
      effects,
      arguments: names,
      options: options.map(({ default: byDefault, description, name, required, type }) => ({
        name,
        type,
        required,
        ...(byDefault === undefined ? {} : { default: byDefault }),
        description: cut(description, 160)
      })),
      example
    }))

/** What the host has named of MCP. No server is asked for it. */
export const namedSources = (access: McpServerAccess): ReadonlyArray<ShownSource> => [
  ...access.endpoints().map(shownEndpoint),
  ...access.servers().map(shownServer)
]

const shownEndpoint = ({ endpoint, name }: McpEndpointName): ShownSource => ({
  endpoint: name,
  summary: `An MCP endpoint that this host has named: ${typeof endpoint === "string" ? endpoint : textOf(endpoint)}`,
  effects: [":mcp"]
})

/** As `stream_start` takes it, too. */
const textOf = ({ resource, server, sse, tool }: Readonly<Record<string, string>>): string =>
  sse === undefined
    ? `${server === undefined ? "" : `${server}/`}${tool === undefined ? `resource:${resource}` : `tool:${tool}`}`
    : `sse:${sse}`

const shownServer = ({ isDefault, kind, name }: McpServerName): ShownSource => {
  if (kind === "raw-sse") {
    const start = isDefault ? "Start a path below its URL" : "Only the default server can be started from by a path, and it is not it"
    return { endpoint: "PATH", server: name, summary: `The server ${name}, which gives server-sent events. ${start}.`, effects: [":mcp"] }
  }
  return {
    endpoint: `${name}/tool:NAME`,
    also: [`${name}/resource:URI`],
    server: name,
    summary: `The MCP server ${name}${isDefault ? ", the default one" : ""}. Call stream_sources with server: ${JSON.stringify(name)} for its tools and resources.`,
    effects: [":mcp"]
  }
}

/** What of a schema is shown whole. */
const mostSchema = 2000

/** What a server says that it has. **Fails** with `ToolProblem` where it can't be asked. */
export const offeredBy = async (access: McpServerAccess, server: string, signal: AbortSignal): Promise<ReadonlyArray<ShownSource>> => {
  const { resources, resourceTemplates, tools } = await access.offers(server, { signal }).catch((error: unknown) => {
    const problem = error instanceof Error ? error.message : String(error)
    throw new ToolProblem(problem.replace(/\.$/, ""), "Call stream_sources without server for those that this host has named.")
  })
  return [
    ...tools.map(({ description, inputSchema, name }) => ({
      endpoint: `${server}/tool:${name}`,
      summary: cut(description ?? "", 500),
      config_schema: shownSchema(inputSchema)
    })),
    ...resources.map(({ description, name, uri }) => ({
      endpoint: `${server}/resource:${uri}`,
      summary: cut(description ?? name, 500)
    })),
    ...resourceTemplates.map(({ description, name, uriTemplate }) => ({
      endpoint: `${server}/resource:${uriTemplate}`,
      summary: `${cut(description ?? name, 500)} (put values where {braces} stand)`
    }))
  ]
}

const shownSchema = (schema: object): unknown => {
  const text = JSON.stringify(schema)
  return text.length <= mostSchema ? schema : truncated(text, mostSchema / 2)
}
