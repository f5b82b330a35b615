import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { HostOptions, McpAuthOptions, StreamHost } from "rtfs-streams"
import { logInToMcp, logOutOfMcp } from "../../../src/host/index.ts"
import { serveHttp } from "../network/servers.ts"
import { hostWith } from "./mcpServers.ts"
import { allowing, type Authority, type GuardOptions, guardedBy, json, serveAuthority, serveGuarded } from "./oauthServers.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rtfs-streams-oauth-"))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
  vi.restoreAllMocks()
})

const count = (host: StreamHost): Promise<unknown> =>
  host.eval('(call :stream.await (mcp-stream {:server "weather" :tool "weather.count"} {:count 2} (fn [n _ _] {:state (inc n)}) 0))')

const person: McpAuthOptions = { type: "authorization-code" }
const machine: McpAuthOptions = { type: "client-credentials", clientId: "rtfs", clientSecret: "{{secret:CLIENT}}" }

const optionsFor = (url: string, auth: McpAuthOptions, authority: Authority | undefined, more: HostOptions = {}): HostOptions => ({
  mcpServers: { weather: { url, auth: authority === undefined ? auth : { issuer: authority.url, ...auth } } },
  secrets: { CLIENT: "very-secret", OTHER: "other-secret" },
  ...more
})

const keptFile = (dataDir = folder) => join(dataDir, "authorization", "weather.json")
const kept = () => JSON.parse(readFileSync(keptFile(), "utf8"))

describe("authorization by a person", () => {
  it("asks once, keeps the tokens for this user alone, and the next host has them", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    const authorize = vi.fn<typeof allowing>(allowing)
    const options = optionsFor(server.mcp, person, authority, { dataDir: folder, authorize })
    {
      await using host = await hostWith(options)
      expect(await count(host)).toBe(3)
      expect(JSON.stringify(host.inspect())).not.toMatch(/access-|refresh-/)
    }
    await using next = await hostWith({ ...options, authorize: undefined } as HostOptions)
    expect(await count(next)).toBe(3)
    expect(authorize).toHaveBeenCalledTimes(1)
    expect(authority.grants).toMatchObject([{ grant_type: "authorization_code", resource: server.mcp }])
    expect(statSync(keptFile()).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(folder, "authorization"))).toEqual(["weather.json"])
    const others = readdirSync(folder).filter((name) => name !== "authorization" && statSync(join(folder, name)).isFile())
    for (const name of others) expect(readFileSync(join(folder, name), "latin1")).not.toMatch(/access-|refresh-/)
  })

  it("is renewed once for all streams that notice, before the token ends", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    await using host = await hostWith(optionsFor(server.mcp, person, authority, { dataDir: folder, authorize: allowing }))
    await count(host)
    writeFileSync(keptFile(), JSON.stringify({ ...kept(), tokens: { ...kept().tokens, expiresAt: Date.now() } }))
    expect(await Promise.all([count(host), count(host), count(host), count(host)])).toEqual([3, 3, 3, 3])
    // The second use of a refresh token would have been refused, and a person asked again.
    expect(authority.grants.map((grant) => grant["grant_type"])).toEqual(["authorization_code", "refresh_token"])
  })

  it("waits for a person longer than for a server", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    const authorize = async (url: string) => {
      await new Promise((resolve) => setTimeout(resolve, 400))
      return allowing(url)
    }
    await using host = await hostWith(optionsFor(server.mcp, person, authority, { authorize }))
    const start = '{:endpoint {:server "weather" :tool "weather.count"} :config {:count 1} :timeout 100 :idle-timeout 60000}'
    await host.eval(`(call :stream.await (call :mcp.stream.start ${start}))`)
    expect(authority.grants).toHaveLength(1)
  })

  it("asks for a wider scope when a tool needs it, and gives up where that does not help", async () => {
    await using authority = await serveAuthority()
    const wide = new Set<string>()
    const scopes: Array<string | null> = []
    const authorize = (url: string) => {
      scopes.push(new URL(url).searchParams.get("scope"))
      return allowing(url)
    }
    await using server = await guardedBy(authority, { callNeeds: { scope: "call", has: (token) => wide.has(token) } })
    await using host = await hostWith(optionsFor(server.mcp, { ...person, scope: "read" }, authority, { authorize }))
    await expect(count(host)).rejects.toMatchObject({ cause: { reason: "authorization", message: /scope "call", which its token has/ } })
    expect(scopes).toEqual(["read", "read call"])
    for (const token of authority.valid) wide.add(token)
    expect(await count(host)).toBe(3)
  })

  it("says what to do where nobody can be asked, and asks nobody", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    await using host = await hostWith(optionsFor(server.mcp, person, authority))
    const failure = {
      reason: "authorization",
      isTemporary: false,
      message: /rtfs-streams login weather .* or give the host's option authorize/
    }
    await expect(count(host)).rejects.toMatchObject({ cause: failure })
    expect(authority.asked).toEqual([])
  })

  it("says what to do when a token can't be renewed any more, without showing it", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    const told = [vi.spyOn(console, "warn"), vi.spyOn(console, "error")]
    const lines: Array<string> = []
    await using host = await hostWith(
      optionsFor(server.mcp, person, authority, { dataDir: folder, log: (line) => lines.push(line), authorize: allowing })
    )
    await count(host)
    const { access_token: access, refresh_token: refresh } = kept().tokens
    authority.valid.clear()
    writeFileSync(keptFile(), JSON.stringify({ ...kept(), tokens: { ...kept().tokens, refresh_token: "refresh-stolen" } }))
    await host.stop()
    await using silent = await hostWith(optionsFor(server.mcp, person, authority, { dataDir: folder }))
    const error = await count(silent).catch((failure: Error) => failure)
    expect(error).toMatchObject({ cause: { reason: "authorization", message: /rtfs-streams login weather/ } })
    const said = [String(error), String((error as Error).cause), ...lines, ...told.flatMap((spy) => spy.mock.calls.map(String))].join("\n")
    for (const token of [access, refresh, "refresh-stolen", "registered-secret"]) expect(said).not.toContain(token)
    expect(kept().tokens).toBeUndefined()
  })

  it("keeps its tokens while the authorization server is out of order, and goes on when it is back", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    await using host = await hostWith(optionsFor(server.mcp, person, authority, { dataDir: folder, authorize: allowing }))
    await count(host)
    authority.valid.clear()
    let outages = 2
    authority.rules.token = (_, response) => (outages-- > 0 ? json(response, 503, { error: "temporarily_unavailable" }) : undefined)
    // The stream itself tries again, as at any other break.
    expect(await count(host)).toBe(3)
    expect(authority.grants.map((grant) => grant["grant_type"])).toEqual([
      "authorization_code",
      "refresh_token",
      "refresh_token",
      "refresh_token"
    ])
  })

  it.each([
    ["an answer to another question", (query: URLSearchParams) => query.set("state", "guessed"), /answer to something else \(its state\)/],
    ["an answer of another server", (query: URLSearchParams) => query.set("iss", "https://evil.example"), /ssuer/],
    [
      "a refusal",
      (query: URLSearchParams) => (query.delete("code"), query.set("error", "access_denied")),
      /was not allowed: access_denied/
    ],
    ["nothing", (query: URLSearchParams) => query.delete("code"), /there is no code/]
  ])("takes no token for %s", async (_, callback, message) => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    authority.rules.callback = callback
    await using host = await hostWith(optionsFor(server.mcp, person, authority, { authorize: allowing }))
    await expect(count(host)).rejects.toMatchObject({ cause: { reason: "authorization", message } })
    expect(authority.grants).toEqual([])
  })

  it("opens no page that is not https", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    authority.rules.metadata = (metadata) => ({ ...metadata, authorization_endpoint: "http://evil.example/authorize" })
    const authorize = vi.fn<typeof allowing>(allowing)
    await using host = await hostWith(optionsFor(server.mcp, person, authority, { authorize }))
    await expect(count(host)).rejects.toMatchObject({ cause: { reason: "authorization", message: /which is no https URL/ } })
    expect(authorize).not.toHaveBeenCalled()
  })

  it("does not show a server's token to the server that took its name", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    await using other = await guardedBy(authority)
    const options = { dataDir: folder, authorize: allowing }
    {
      await using host = await hostWith(optionsFor(server.mcp, person, authority, options))
      await count(host)
    }
    await using host = await hostWith(optionsFor(other.mcp, person, authority, { dataDir: folder }))
    await expect(count(host)).rejects.toMatchObject({ cause: { reason: "authorization" } })
    expect(other.shown).toEqual([undefined])
  })
})

describe("authorization of the host itself", () => {
  it("takes its secret by name, and shows it to the authorization server alone", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    await using host = await hostWith(optionsFor(server.mcp, machine, authority))
    expect(await count(host)).toBe(3)
    expect(await count(host)).toBe(3)
    const basic = `Basic ${Buffer.from("rtfs:very-secret").toString("base64")}`
    expect(authority.grants).toMatchObject([{ grant_type: "client_credentials", authorization: basic }])
    expect(server.shown.filter((header) => header?.includes("very-secret") || header === basic)).toEqual([])
  })

  it("gets another token when the server takes its own no more", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    await using host = await hostWith(optionsFor(server.mcp, machine, authority))
    await count(host)
    authority.valid.clear()
    expect(await count(host)).toBe(3)
    expect(authority.grants).toHaveLength(2)
  })

  it("tells its secret to no authorization server that the MCP server names later", async () => {
    await using authority = await serveAuthority()
    await using other = await serveAuthority()
    let named: Authority = authority
    await using server = await guardedBy(authority, { metadata: (resource) => ({ resource, authorization_servers: [named.url] }) })
    const net = [authority, other].map(({ port }) => `127.0.0.1:${port}`)
    await using host = await hostWith(optionsFor(server.mcp, machine, undefined, { policy: { net } }))
    expect(await count(host)).toBe(3)
    named = other
    authority.valid.clear()
    await expect(count(host)).rejects.toMatchObject({ cause: { reason: "authorization", message: /but its credentials are for/ } })
    expect(other.grants).toEqual([])
  })
})

describe("authorization of one server by two processes", () => {
  it.each<readonly [string, (grant: (refresh: string) => void) => void, string | undefined]>([
    ["has what the other has logged in with, where its own is refused", (grant) => grant("refresh-of-the-other"), "refresh-of-the-other"],
    ["stays logged out once the other has done that", () => rmSync(keptFile()), undefined]
  ])("%s", async (_, other, refresh) => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    const options = optionsFor(server.mcp, person, authority, { dataDir: folder })
    await using host = await hostWith({ ...options, authorize: allowing })
    await count(host)
    await host.stop()
    await using silent = await hostWith(options)
    authority.valid.clear()
    authority.rules.token = (_form, response) => {
      authority.rules.token = undefined
      authority.valid.add("access-of-the-other")
      const tokens = (refresh_token: string) => ({ ...kept().tokens, access_token: "access-of-the-other", refresh_token })
      other((refresh_token) => writeFileSync(keptFile(), JSON.stringify({ ...kept(), tokens: tokens(refresh_token) })))
      if (refresh !== undefined) return json(response, 400, { error: "invalid_grant" })
      authority.valid.add("access-too-late")
      return json(response, 200, { access_token: "access-too-late", token_type: "Bearer", refresh_token: "refresh-too-late" })
    }
    const result = await count(silent).catch((error: Error) => error)
    if (refresh === undefined) {
      expect(result).toMatchObject({ cause: { message: /rtfs-streams login weather/ } })
      expect(existsSync(keptFile())).toBe(false)
    } else {
      expect(result).toBe(3)
      expect(kept().tokens.refresh_token).toBe(refresh)
    }
  })
})

describe("what a hostile server says of its authorization", () => {
  it("shows nobody what a function of the host vouches with", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    authority.rules.token = (form, response) =>
      json(response, 400, { error: "invalid_grant", error_description: `no: ${form["assertion"]}` })
    const auth: McpAuthOptions = { type: "jwt-bearer", clientId: "rtfs", assertion: () => "canary-assertion" }
    await using host = await hostWith(optionsFor(server.mcp, auth, authority))
    const error = await count(host).catch((failure: Error) => failure)
    expect(authority.grants).toMatchObject([{ assertion: "canary-assertion" }])
    expect(String((error as Error).cause)).toMatch(/no: \{\{token\}\}/)
    expect(String(error)).not.toContain("canary")
  })

  it("takes no token that is no value of a header", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    authority.rules.token = (_, response) => json(response, 200, { access_token: "canary\r\nX-Other: 1", token_type: "Bearer" })
    await using host = await hostWith(optionsFor(server.mcp, machine, authority, { dataDir: folder }))
    const error = await count(host).catch((failure: Error) => failure)
    expect(error).toMatchObject({ cause: { reason: "authorization", message: /characters that no request may have/ } })
    expect(String(error)).not.toContain("canary")
    expect(existsSync(keptFile())).toBe(false)
  })

  const denied = (port: number) => ({
    _tag: "PermissionDenied",
    message: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}.*auth\\.issuer of mcpServers\\.weather`))
  })

  it.each<readonly [string, (peer: string) => Partial<GuardOptions>, (port: number) => object]>([
    ["names a peer that is not granted", (peer) => ({ metadata: (resource) => ({ resource, authorization_servers: [peer] }) }), denied],
    ["has its metadata there", (peer) => ({ metadataUrl: `${peer}/metadata` }), denied],
    // The client itself follows no redirect to another origin.
    [
      "redirects there",
      (peer) => ({ metadata: (_, response) => void response.writeHead(302, { Location: peer }).end() }),
      () => ({ reason: "authorization" })
    ]
  ])("%s: nothing is sent there", async (_, lie, failure) => {
    await using bystander = await serveHttp((_, response) => json(response, 200, {}))
    await using server = await serveGuarded({ isValid: () => false, metadata: () => undefined, ...lie(bystander.url) })
    await using host = await hostWith(optionsFor(server.mcp, machine, undefined))
    await expect(count(host)).rejects.toMatchObject({ cause: failure(bystander.port) })
    expect(bystander.connections()).toBe(0)
  })

  it("does not take metadata that can't be had for a word that the server authorizes itself", async () => {
    await using authority = await serveAuthority()
    const own = (mcp: string) => {
      const issuer = new URL(mcp).origin
      return {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        response_types_supported: ["code"]
      }
    }
    await using server = await guardedBy(authority, {
      metadata: (mcp, response, path) => (path.includes("protected-resource") ? void response.destroy() : own(mcp))
    })
    await using host = await hostWith(optionsFor(server.mcp, machine, undefined))
    await expect(count(host)).rejects.toMatchObject({ cause: { _tag: "NetworkFailure" } })
    expect(server.requests.filter(({ url }) => url === "/token")).toEqual([])
  })

  it("sends a token request's body to no other place", async () => {
    await using bystander = await serveHttp((_, response) => json(response, 200, { access_token: "x", token_type: "Bearer" }))
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    authority.rules.token = (_, response) => response.writeHead(307, { Location: `${bystander.url}/token` }).end()
    const net = [`127.0.0.1:${bystander.port}`]
    await using host = await hostWith(optionsFor(server.mcp, machine, authority, { policy: { net } }))
    await expect(count(host)).rejects.toMatchObject({ cause: { reason: "authorization" } })
    expect(bystander.connections()).toBe(0)
  })

  it("is not read without end", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority, {
      metadata: (resource, response) => {
        response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ resource, padding: "x".repeat(300_000) }))
      }
    })
    await using host = await hostWith(optionsFor(server.mcp, machine, authority))
    await expect(count(host)).rejects.toMatchObject({ cause: { _tag: "NetworkFailure", message: /longer than 262144 bytes/ } })
  })

  it("gives no secret away: what it makes up and calls one goes back as it came", async () => {
    const seen: Array<unknown> = []
    await using server = await serveHttp(async (request, response) => {
      seen.push(request.headers["mcp-session-id"], request.url)
      const body =
        request.method === "POST" ? ((await new Response(request as never).json()) as { id?: number; method: string }) : undefined
      if (body?.method === "initialize") {
        response.setHeader("Mcp-Session-Id", "{{secret:OTHER}}")
        const result = { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "x", version: "1" } }
        return json(response, 200, { jsonrpc: "2.0", id: body.id, result })
      }
      if (body?.id === undefined) return response.writeHead(body === undefined ? 405 : 202).end()
      if (body.method !== "tools/call") return json(response, 200, { jsonrpc: "2.0", id: body.id, error: { code: -32_601, message: "no" } })
      return json(response, 200, { jsonrpc: "2.0", id: body.id, result: { content: [] } })
    })
    await using host = await hostWith({ mcpServers: { weather: { url: `${server.url}/mcp` } }, secrets: { OTHER: "other-secret" } })
    await count(host)
    expect(seen).toContain("{{secret:OTHER}}")
    expect(JSON.stringify(seen)).not.toContain("other-secret")
  })
})

describe("logging in and out", () => {
  const options = (url: string, authority: Authority): HostOptions => optionsFor(url, person, authority, { dataDir: folder })
  const login = (host: HostOptions, authorize: (url: string) => Promise<string> = allowing) =>
    logInToMcp(host, "weather", { authorize, redirectUrl: "http://127.0.0.1:1/callback", signal: new AbortController().signal })

  it("replaces what is kept only by something new, and a host that runs has it at once", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    await using host = await hostWith(options(server.mcp, authority))
    expect(await login(options(server.mcp, authority))).toBe(true)
    expect(await count(host)).toBe(3)
    const first = kept().tokens.access_token
    await expect(login(options(server.mcp, authority), () => Promise.reject(new Error("closed the browser")))).rejects.toThrow(
      /closed the browser/
    )
    expect(kept().tokens.access_token).toBe(first)
    await login(options(server.mcp, authority))
    expect(kept().tokens.access_token).not.toBe(first)
    expect(await logOutOfMcp(options(server.mcp, authority), "weather")).toBe(true)
    expect(await logOutOfMcp(options(server.mcp, authority), "weather")).toBe(false)
    await expect(count(host)).rejects.toMatchObject({ cause: { message: /rtfs-streams login weather/ } })
  })

  it("says so where a file is damaged", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    await login(options(server.mcp, authority))
    writeFileSync(keptFile(), '{"url": ')
    await using host = await hostWith(options(server.mcp, authority))
    await expect(count(host)).rejects.toMatchObject({ cause: { reason: "authorization", message: /weather\.json is damaged/ } })
  })
})

describe("mcpServers.auth", () => {
  it.each([
    [{ type: "oauth" }, /auth must be an object with the type authorization-code, client-credentials/],
    [{ type: "client-credentials", clientId: "a" }, /must have either clientSecret or privateKey/],
    [{ type: "client-credentials", clientId: "a", clientSecret: "plain" }, /clientSecret must name a secret of the host/],
    [{ type: "client-credentials", clientSecret: "{{secret:A}}" }, /must have clientId/],
    [{ type: "authorization-code", clientID: "a" }, /auth\.clientID does not exist; did you mean clientId\?/],
    [{ type: "authorization-code", clientMetadataUrl: "http://a.example/x" }, /must be a URL with https:/],
    [{ type: "authorization-code", issuer: "auth.example" }, /issuer must be a URL/],
    [{ type: "enterprise-managed", clientId: "a", clientSecret: "{{secret:A}}" }, /must have identityProvider/]
  ])("refuses %j", async (auth, message) => {
    await expect(hostWith({ mcpServers: { a: { url: "https://a.example/mcp", auth: auth as McpAuthOptions } } })).rejects.toThrow(message)
  })

  it("has no place beside a header that says the same, nor at a process", async () => {
    const headers = { authorization: "Bearer x" }
    await expect(hostWith({ mcpServers: { a: { url: "https://a.example/mcp", headers, auth: person } } })).rejects.toThrow(
      /both auth and a header/
    )
    await expect(hostWith({ mcpServers: { a: { command: "x", auth: person } } })).rejects.toThrow(/no auth/)
  })
})
