import dns from "node:dns"
import { isIP } from "node:net"
import type { NetworkAccess, PeerAddress } from "../actors/index.ts"
import { NetworkFailure } from "../capabilities/index.ts"
import { addressClass, canonicalAddress } from "./addressClass.ts"
import { PermissionDenied } from "./errors.ts"
import { InvalidHostOption } from "./HostOptions.ts"
import { Secrets } from "./Secrets.ts"

/** Which peers programs may talk to; what is left out is not granted. */
export interface NetworkGrants {
  /** `host:port`: a name, `*.name` for all names below it, an address, or `*`; the port may be `*`, too. */
  readonly net?: ReadonlyArray<string>
  /** Every peer, private addresses included. */
  readonly all?: boolean
  readonly secrets?: Readonly<Record<string, string>> | undefined
}

/** How many connections the programs of one host may have at a time. */
const mostConnections = 64

interface Grant {
  /** In the form that names and addresses have in a URL; without it, any host. */
  readonly host: string | undefined
  /** Names below `host`, not itself. */
  readonly isBelow: boolean
  readonly port: number | undefined
}

/**
 * Says which peers programs may talk to, and where those are.
 *
 * A name that is granted grants public addresses only: one that leads to a private address, to this machine or to any
 * other special one needs that address (or `localhost`) granted with the port, too. All addresses of a name have to pass,
 * and only they may be connected to, so that a name which changes its meaning between two look-ups gains nothing.
 *
 * **Fails** by throwing `InvalidHostOption` for a grant that is no `host:port`.
 */
export const makeNetworkAccess = ({ all = false, net = [], secrets }: NetworkGrants): NetworkAccess => {
  const grants = net.map(parseGrant)
  const known = new Secrets(secrets)
  let connections = 0

  const check = (peer: string): void => {
    if (all) return
    const { hostname, port } = parsePeer(peer)
    const isGranted = grants.some(
      (grant) => matchesPort(grant, port) && (matchesName(grant, hostname) || (isIP(hostname) !== 0 && matchesAddress(grant, hostname)))
    )
    if (!isGranted)
      throw new PermissionDenied({ what: `the network peer ${peer}`, remedy: `grant it with --allow-net ${peer} (policy.net)` })
  }

  const checkAddress = (peer: string, address: string): void => {
    if (all) return
    const found = addressClass(address)
    const { hostname, port } = parsePeer(peer)
    if (found === undefined) return
    const canonical = canonicalAddress(address)
    if (grants.some((grant) => matchesPort(grant, port) && matchesAddress(grant, canonical))) return
    const shown = canonical.includes(":") ? `[${canonical}]:${port}` : `${canonical}:${port}`
    throw new PermissionDenied({
      what: isIP(hostname) === 0 ? `${peer} leads to ${canonical}, a ${found} address` : `${peer} is a ${found} address`,
      remedy: `a name grants public addresses only; grant this one itself with --allow-net ${shown} (policy.net)`
    })
  }

  return {
    check,
    resolve: async (peer) => {
      check(peer)
      const { hostname } = parsePeer(peer)
      const addresses = isIP(hostname) === 0 ? await lookUp(hostname, peer) : [{ address: hostname, family: isIP(hostname) as 4 | 6 }]
      for (const { address } of addresses) checkAddress(peer, address)
      return addresses
    },
    reveal: known.reveal,
    conceal: known.conceal,
    connection: () => {
      if (connections >= mostConnections) {
        throw new NetworkFailure({
          url: "another peer",
          operation: "connect to",
          problem: `the programs of this host have ${mostConnections} connections already, which is the most`,
          fix: "Let some end first, or merge streams from one peer."
        })
      }
      connections++
      let isOpen = true
      return () => {
        if (isOpen) connections--
        isOpen = false
      }
    },
    peers: new Map()
  }
}

const lookUp = async (hostname: string, peer: string): Promise<ReadonlyArray<PeerAddress>> => {
  const found = await dns.promises.lookup(hostname, { all: true, verbatim: true }).catch((error: unknown) => {
    throw NetworkFailure.of("resolve", peer, error)
  })
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
}

/** `hostname:port`; an IPv6 address in brackets, a name without the dot of the root. */
const parsePeer = (peer: string): { readonly hostname: string; readonly port: number } => {
  const at = peer.lastIndexOf(":")
  return { hostname: plainHost(peer.slice(0, at)), port: Number(peer.slice(at + 1)) }
}

const plainHost = (host: string): string => (host.startsWith("[") ? canonicalAddress(host.slice(1, -1)) : host.replace(/\.$/, ""))

const parseGrant = (written: string): Grant => {
  const wrong = () =>
    new InvalidHostOption(
      "policy.net",
      `has ${JSON.stringify(written)}, which is no host:port such as "api.example.com:443", "*.example.com:443" or "127.0.0.1:8080"`
    )
  const [, host, port] = (typeof written === "string" && /^([^\s/@*]+|\*|\*\.[^\s/@*]+):(\*|\d{1,5})$/.exec(written)) || []
  if (host === undefined || port === undefined || (port !== "*" && !(Number(port) > 0 && Number(port) < 65_536))) throw wrong()
  const grant = { isBelow: host.startsWith("*."), port: port === "*" ? undefined : Number(port) }
  if (host === "*") return { ...grant, host: undefined }
  const url = URL.parse(`http://${host.replace(/^\*\./, "")}/`)
  if (url === null) throw wrong()
  return { ...grant, host: plainHost(url.hostname) }
}

const matchesPort = (grant: Grant, port: number): boolean => grant.port === undefined || grant.port === port

const matchesName = ({ host, isBelow }: Grant, hostname: string): boolean =>
  host === undefined || (isBelow ? hostname.endsWith(`.${host}`) : hostname === host)

/** Whether the address itself was named; `localhost` names those of this machine. */
const matchesAddress = ({ host, isBelow }: Grant, address: string): boolean =>
  host !== undefined && !isBelow && (host === address || (host === "localhost" && addressClass(address) === "loopback"))
