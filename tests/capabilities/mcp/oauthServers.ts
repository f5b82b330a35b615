import { createHash, randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { toNodeHandler } from "@modelcontextprotocol/node"
import { createMcpHandler } from "@modelcontextprotocol/server"
import { bodyOf, serveHttp, type TestServer } from "../network/servers.ts"
import { weatherServer } from "./weatherServer.ts"

export interface Authority extends TestServer {
  /** Path of each request, in order. */
  readonly asked: Array<string>
  /** The form of each request for a token. */
  readonly grants: Array<Readonly<Record<string, string>>>
  /** Tokens that the MCP server takes. */
  readonly valid: Set<string>
  readonly rules: AuthorityRules
}

/** What tests change while it runs. */
export interface AuthorityRules {
  expiresIn: number
  scopesSupported: ReadonlyArray<string> | undefined
  /** Answers a request for a token in its place, if it gives the answer. */
  token: ((form: Readonly<Record<string, string>>, response: ServerResponse) => ServerResponse | undefined) | undefined
  /** What a browser comes back with. */
  callback: (query: URLSearchParams) => void
  metadata: (metadata: Record<string, unknown>) => unknown
}

/** A small authorization server: metadata, registration, codes with PKCE, refresh tokens that are good once, client credentials. */
export const serveAuthority = async (): Promise<Authority> => {
  const asked: Array<string> = []
  const grants: Array<Readonly<Record<string, string>>> = []
  const valid = new Set<string>()
  const refreshTokens = new Set<string>()
  const codes = new Map<string, { readonly challenge: string; readonly scope: string | undefined }>()
  const rules: AuthorityRules = {
    expiresIn: 3600,
    scopesSupported: undefined,
    token: undefined,
    callback: () => {},
    metadata: (same) => same
  }
  const issue = (response: ServerResponse, scope: string | undefined, refresh: boolean) => {
    const tokens = { access_token: `access-${randomUUID()}`, refresh_token: `refresh-${randomUUID()}` }
    valid.add(tokens.access_token)
    refreshTokens.add(tokens.refresh_token)
    json(response, 200, {
      access_token: tokens.access_token,
      token_type: "Bearer",
      expires_in: rules.expiresIn,
      ...(refresh ? { refresh_token: tokens.refresh_token } : {}),
      ...(scope === undefined ? {} : { scope })
    })
  }
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url!, server.url)
    asked.push(url.pathname)
    switch (url.pathname) {
      case "/.well-known/oauth-authorization-server":
        return json(
          response,
          200,
          rules.metadata({
            issuer: server.url,
            authorization_endpoint: `${server.url}/authorize`,
            token_endpoint: `${server.url}/token`,
            registration_endpoint: `${server.url}/register`,
            response_types_supported: ["code"],
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: true,
            token_endpoint_auth_methods_supported: ["client_secret_basic", "none"]
          })
        )
      case "/register": {
        const wanted = JSON.parse(await bodyOf(request)) as object
        return json(response, 201, { ...wanted, client_id: `client-${randomUUID()}`, client_secret: "registered-secret" })
      }
      case "/authorize": {
        const code = randomUUID()
        codes.set(code, { challenge: url.searchParams.get("code_challenge")!, scope: url.searchParams.get("scope") ?? undefined })
        const back = new URL(url.searchParams.get("redirect_uri")!)
        for (const [name, value] of [
          ["code", code],
          ["state", url.searchParams.get("state")!],
          ["iss", server.url]
        ] as const)
          back.searchParams.set(name, value)
        rules.callback(back.searchParams)
        return response.writeHead(302, { Location: back.href }).end()
      }
      case "/token": {
        const form = Object.fromEntries(new URLSearchParams(await bodyOf(request)))
        grants.push({ ...form, authorization: request.headers.authorization ?? "" })
        if (rules.token?.(form, response) !== undefined) return
        if (form["grant_type"] === "client_credentials") return issue(response, form["scope"], false)
        if (form["grant_type"] === "refresh_token") {
          if (refreshTokens.delete(form["refresh_token"]!)) return issue(response, undefined, true)
          return json(response, 400, { error: "invalid_grant", error_description: `no such token: ${form["refresh_token"]}` })
        }
        const known = codes.get(form["code"]!)
        codes.delete(form["code"]!)
        const challenge = createHash("sha256")
          .update(form["code_verifier"] ?? "")
          .digest("base64url")
        if (known?.challenge !== challenge) return json(response, 400, { error: "invalid_grant", error_description: "wrong code" })
        return issue(response, known.scope, true)
      }
      default:
        return json(response, 404, { error: "not_found" })
    }
  }
  const server: TestServer = await serveHttp((request, response) => answer(request, response))
  return Object.assign(server, { asked, grants, valid, rules })
}

export interface GuardedServer extends TestServer {
  /** `Authorization` of each request to `/mcp`. */
  readonly shown: Array<string | undefined>
  readonly mcp: string
}

export interface GuardOptions {
  /** What it takes for a token. */
  readonly isValid: (token: string) => boolean
  /** The body, or the redirect, of its metadata. */
  readonly metadata: (url: string, response: ServerResponse, path: string) => unknown
  /** Of its challenge; by default its own. */
  readonly metadataUrl?: string
  /** The scope that a call needs, and who has it. */
  readonly callNeeds?: { readonly scope: string; readonly has: (token: string) => boolean }
}

/** The weather server behind a guard that wants a token. */
export const serveGuarded = async ({ callNeeds, isValid, metadata, metadataUrl }: GuardOptions): Promise<GuardedServer> => {
  const shown: Array<string | undefined> = []
  const handler = toNodeHandler(createMcpHandler(() => weatherServer()))
  const server: TestServer = await serveHttp(async (request, response) => {
    if (request.url !== "/mcp") {
      const body = metadata(`${server.url}/mcp`, response, request.url!)
      return response.writableEnded || response.destroyed ? undefined : json(response, body === undefined ? 404 : 200, body ?? {})
    }
    shown.push(request.headers.authorization)
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]
    const where = `resource_metadata="${metadataUrl ?? `${server.url}/.well-known/oauth-protected-resource/mcp`}"`
    if (token === undefined || !isValid(token)) {
      return response.writeHead(401, { "WWW-Authenticate": `Bearer ${where}` }).end(JSON.stringify({ error: `bad token ${token}` }))
    }
    const body = await bodyOf(request)
    if (callNeeds !== undefined && body.includes('"tools/call"') && !callNeeds.has(token)) {
      const header = `Bearer error="insufficient_scope", scope="${callNeeds.scope}", ${where}`
      return response.writeHead(403, { "WWW-Authenticate": header }).end("{}")
    }
    return handler(request, response, JSON.parse(body === "" ? "null" : body))
  })
  return Object.assign(server, { shown, mcp: `${server.url}/mcp` })
}

export const guardedBy = (authority: Authority, more: Partial<GuardOptions> = {}): Promise<GuardedServer> =>
  serveGuarded({
    isValid: (token) => authority.valid.has(token),
    metadata: (resource) => ({ resource, authorization_servers: [authority.url] }),
    ...more
  })

/** A person who allows everything, and a browser that goes where it is sent. */
export const allowing = async (url: string): Promise<string> => (await fetch(url, { redirect: "manual" })).headers.get("location") ?? ""

export const json = (response: ServerResponse, status: number, body: unknown): ServerResponse =>
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body))
