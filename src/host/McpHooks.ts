/**
 * Takes a person to an MCP server's authorization server.
 *
 * @param url what to open in a browser
 * @param request.server its name in `mcpServers`
 * @param request.redirectUrl where the browser is sent to when the person has decided
 * @param request.signal aborted when nobody waits any more
 * @returns the URL that the browser was sent to, whole; or the code in it
 */
export type Authorize = (
  url: string,
  request: { readonly server: string; readonly redirectUrl: string; readonly signal: AbortSignal }
) => string | Promise<string>

/** Answers an MCP server's question. What it throws counts as `cancel`. */
export type Elicit = (request: ElicitationRequest) => ElicitationAnswer | Promise<ElicitationAnswer>

/** A question that an MCP server has for the person behind the host, while a tool of it runs. */
export interface ElicitationRequest {
  /** Its name in `mcpServers`. */
  readonly server: string
  /** For the person. It is the server's text: show who says it. */
  readonly message: string
  /** What is asked for: a flat JSON Schema whose properties are texts, numbers, booleans and choices. */
  readonly requestedSchema?: Readonly<Record<string, unknown>>
  /** Instead of a schema: a page on which the person does it, and of which the host sees nothing. */
  readonly url?: string
}

/** `accept` with what was filled in (properties that are left out get the schema's defaults), `decline`, or `cancel`. */
export interface ElicitationAnswer {
  readonly action: "accept" | "decline" | "cancel"
  readonly content?: Readonly<Record<string, string | number | boolean | ReadonlyArray<string>>>
}
