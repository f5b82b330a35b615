import type { NetworkAccess } from "../actors/index.ts"
import type { HostOptions } from "./HostOptions.ts"
import { makeNetworkAccess } from "./NetworkPolicy.ts"

export const peerOf = (url: URL): string => `${url.hostname}:${url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port}`

/**
 * The host has named the server, wherever it is: also on this machine, also by a name that leads to a private address. A
 * redirect to another peer is refused.
 */
export const grantedOnly = (net: ReadonlyArray<string>, secrets: HostOptions["secrets"]): NetworkAccess => {
  const named = makeNetworkAccess({ net, secrets })
  const everywhere = makeNetworkAccess({ all: true, secrets })
  return {
    ...named,
    resolve: async (peer) => {
      named.check(peer)
      return everywhere.resolve(peer)
    }
  }
}
