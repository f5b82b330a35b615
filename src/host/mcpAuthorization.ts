import type { NetworkAccess } from "../actors/index.ts"
import { type AuthorizationKeeper, AuthorizationSession, keepInFile, keepInMemory } from "../capabilities/index.ts"
import { nearestOrPart } from "../serialization/index.ts"
import { PermissionDenied } from "./errors.ts"
import { grantedOnly, peerOf } from "./grantedOnly.ts"
import { type HostOptions, InvalidHostOption } from "./HostOptions.ts"
import type { McpAuthOptions } from "./McpAuthOptions.ts"
import { makeNetworkAccess } from "./NetworkPolicy.ts"

/** A port that is free on most machines; `rtfs-streams login` takes any that is. */
const defaultRedirectUrl = "http://127.0.0.1:38173/callback"

/** Options of each way, beside those of all; those with a mark must be there, those that are secret must stand there by name. */
const optionsByType: Readonly<
  Record<McpAuthOptions["type"], Readonly<Record<string, "" | "needed" | "secret" | "needed secret" | "object">>>
> = {
  "authorization-code": { clientId: "", clientSecret: "secret", clientMetadataUrl: "", redirectUrl: "" },
  "client-credentials": { clientId: "needed", clientSecret: "secret", privateKey: "secret", algorithm: "" },
  "jwt-bearer": { clientId: "needed", assertion: "needed secret" },
  "enterprise-managed": { clientId: "needed", clientSecret: "needed secret", identityProvider: "object" }
}

const optionsOfProvider = { issuer: "", tokenEndpoint: "", clientId: "needed", clientSecret: "secret", idToken: "needed secret" } as const

/**
 * How a host is authorized at one of its servers, and where it keeps that.
 *
 * Requests about authorization may reach the server's own peer, those of the issuers that the configuration names, and what
 * the policy grants everybody. **Fails** by throwing `InvalidHostOption`.
 */
export const authorizationOf = (
  name: string,
  url: URL,
  auth: McpAuthOptions,
  host: Pick<HostOptions, "authorize" | "dataDir" | "policy" | "secrets">,
  anew?: { readonly redirectUrl: string }
): AuthorizationSession => {
  checkAuth(`mcpServers.${name}.auth`, auth)
  return new AuthorizationSession({
    server: name,
    url: url.href,
    auth,
    keeper: keeperOf(name, host.dataDir),
    network: networkOf(name, url, auth, host),
    authorize: host.authorize,
    redirectUrl: anew?.redirectUrl ?? (auth.type === "authorization-code" ? auth.redirectUrl : undefined) ?? defaultRedirectUrl,
    ...(anew === undefined ? {} : { anew: true })
  })
}

/** In the data directory, or as long as the host. */
export const keeperOf = (name: string, dataDir: string | undefined): AuthorizationKeeper =>
  dataDir === undefined ? keepInMemory() : keepInFile(dataDir, name)

const networkOf = (
  name: string,
  url: URL,
  auth: McpAuthOptions,
  { policy = {}, secrets }: Pick<HostOptions, "policy" | "secrets">
): NetworkAccess => {
  const { issuer, tokenEndpoint } = auth.type === "enterprise-managed" ? auth.identityProvider : {}
  const trusted = [auth.issuer, issuer, tokenEndpoint].flatMap((text) => (text === undefined ? [] : [new URL(text)]))
  const named = new Set([url, ...trusted].map(peerOf))
  const own = grantedOnly([...named], secrets)
  const granted = makeNetworkAccess({ net: policy.net ?? [], all: policy.all ?? false, secrets })
  const accessTo = (peer: string): NetworkAccess => {
    if (named.has(peer)) return own
    try {
      granted.check(peer)
    } catch {
      throw new PermissionDenied({
        what: `the peer ${peer}, which the MCP server ${name} names for its authorization,`,
        remedy: `if you trust it, name it as auth.issuer of mcpServers.${name}, or grant it with --allow-net ${peer} (policy.net)`
      })
    }
    return granted
  }
  return { ...granted, check: (peer) => accessTo(peer).check(peer), resolve: async (peer) => accessTo(peer).resolve(peer) }
}

const checkAuth = (option: string, auth: McpAuthOptions): void => {
  const types = Object.keys(optionsByType)
  if (typeof auth !== "object" || auth === null || !types.includes(auth.type)) {
    throw new InvalidHostOption(option, `must be an object with the type ${types.join(", ")}`)
  }
  checkKnown(option, auth, { type: "", scope: "", issuer: "", ...optionsByType[auth.type] })
  if (auth.issuer !== undefined) checkUrl(`${option}.issuer`, auth.issuer, ["https:", "http:"])
  switch (auth.type) {
    case "authorization-code":
      if (auth.clientSecret !== undefined && auth.clientId === undefined)
        throw new InvalidHostOption(option, "has a clientSecret but no clientId")
      if (auth.redirectUrl !== undefined) checkUrl(`${option}.redirectUrl`, auth.redirectUrl, ["https:", "http:"])
      if (auth.clientMetadataUrl !== undefined) {
        const { pathname } = checkUrl(`${option}.clientMetadataUrl`, auth.clientMetadataUrl, ["https:"])
        if (pathname === "/") throw new InvalidHostOption(`${option}.clientMetadataUrl`, "must have a path")
      }
      return
    case "client-credentials":
      if ((auth.clientSecret === undefined) === (auth.privateKey === undefined))
        throw new InvalidHostOption(option, "must have either clientSecret or privateKey")
      if (auth.algorithm !== undefined && !/^(ES|RS|PS)(256|384|512)$/.test(auth.algorithm))
        throw new InvalidHostOption(`${option}.algorithm`, "must be one such as ES256 or RS256")
      return
    case "enterprise-managed": {
      const provider = `${option}.identityProvider`
      checkKnown(provider, auth.identityProvider, optionsOfProvider)
      const { issuer, tokenEndpoint } = auth.identityProvider
      if ((issuer === undefined) === (tokenEndpoint === undefined))
        throw new InvalidHostOption(provider, "must have either issuer or tokenEndpoint")
      checkUrl(`${provider}.${issuer === undefined ? "tokenEndpoint" : "issuer"}`, (issuer ?? tokenEndpoint)!, ["https:", "http:"])
    }
  }
}

/** Their values may hold secrets, so no message shows one. */
const checkKnown = (option: string, given: object, known: Readonly<Record<string, string>>): void => {
  if (typeof given !== "object" || given === null) throw new InvalidHostOption(option, "must be an object")
  const names = Object.keys(known)
  for (const [name, value] of Object.entries(given)) {
    const kind = known[name]
    if (kind === undefined) {
      const near = nearestOrPart(name, names)
      throw new InvalidHostOption(
        `${option}.${name}`,
        `does not exist; ${near === undefined ? `there are ${names.join(", ")}` : `did you mean ${near}?`}`
      )
    }
    if (value === undefined || kind === "object") continue
    if (kind.includes("secret") && typeof value === "function" && name !== "clientSecret") continue
    if (typeof value !== "string" || value === "") throw new InvalidHostOption(`${option}.${name}`, "must be text")
    if (kind.includes("secret") && !/^\{\{secret:[^{}]+\}\}$/.test(value))
      throw new InvalidHostOption(`${option}.${name}`, 'must name a secret of the host, such as "{{secret:NAME}}"')
  }
  for (const [name, kind] of Object.entries(known)) {
    const isMissing = (given as Readonly<Record<string, unknown>>)[name] === undefined
    if (isMissing && (kind.includes("needed") || kind === "object")) throw new InvalidHostOption(option, `must have ${name}`)
  }
}

const checkUrl = (option: string, written: string, schemes: ReadonlyArray<string>): URL => {
  const url = URL.parse(written)
  if (url === null || !schemes.includes(url.protocol)) throw new InvalidHostOption(option, `must be a URL with ${schemes.join(" or ")}//`)
  return url
}
