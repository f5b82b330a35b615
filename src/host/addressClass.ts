import { BlockList, isIPv4 } from "node:net"

/** What an address is for, where that is anything but the public internet. */
const special: ReadonlyArray<readonly [name: string, family: "ipv4" | "ipv6", ...subnets: ReadonlyArray<string>]> = [
  ["this network", "ipv4", "0.0.0.0/8"],
  ["private", "ipv4", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
  ["shared (carrier)", "ipv4", "100.64.0.0/10"],
  ["loopback", "ipv4", "127.0.0.0/8"],
  ["link-local", "ipv4", "169.254.0.0/16"],
  [
    "reserved",
    "ipv4",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4"
  ],
  ["multicast", "ipv4", "224.0.0.0/4"],
  ["this network", "ipv6", "::/128"],
  ["loopback", "ipv6", "::1/128"],
  ["link-local", "ipv6", "fe80::/10"],
  ["private", "ipv6", "fc00::/7", "fec0::/10"],
  // Tunnels and translators: they lead to an IPv4 address of the sender's choice.
  ["translated", "ipv6", "64:ff9b:1::/48", "2001::/32", "2002::/16", "::/96"],
  ["reserved", "ipv6", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16"],
  ["multicast", "ipv6", "ff00::/8"]
]

const lists = special.map(([name, family, ...subnets]) => {
  const list = new BlockList()
  for (const subnet of subnets) {
    const [network, prefix] = subnet.split("/") as [string, string]
    list.addSubnet(network, Number(prefix), family)
  }
  return { name, family, list }
})

/**
 * The class of an address that is not on the public internet (`private`, `loopback`, `link-local` …), else `undefined`.
 *
 * An IPv4 address inside of an IPv6 one, mapped or translated by NAT64, counts as what it stands for.
 *
 * **Source** the IANA registries of special-purpose addresses, RFC 6890 and later.
 */
export const addressClass = (address: string): string | undefined => {
  const own = embeddedIPv4(address) ?? address
  const family = isIPv4(own) ? "ipv4" : "ipv6"
  return lists.find((known) => known.family === family && known.list.check(own, family))?.name
}

/** One way to write each address: of IPv6 the shortest one, and IPv4 for what only stands for it. */
export const canonicalAddress = (address: string): string => {
  const plain = address.replace(/%.*$/, "")
  const embedded = embeddedIPv4(plain)
  if (embedded !== undefined) return embedded
  return isIPv4(plain) ? plain : new URL(`http://[${plain}]`).hostname.slice(1, -1)
}

/** The IPv4 address in `::ffff:a.b.c.d` and `64:ff9b::a.b.c.d`. */
const embeddedIPv4 = (address: string): string | undefined => {
  if (isIPv4(address)) return undefined
  const groups = groupsOf(address)
  const [low, high] = [groups[7]!, groups[6]!]
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  const isTranslated = groups[0] === 0x64 && groups[1] === 0xff9b && groups.slice(2, 6).every((group) => group === 0)
  return isMapped || isTranslated ? `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}` : undefined
}

/** The eight groups of an IPv6 address, in whatever way it is written. */
const groupsOf = (address: string): ReadonlyArray<number> => {
  const written = new URL(`http://[${address.replace(/%.*$/, "")}]`).hostname.slice(1, -1)
  const [head, tail] = written.split("::") as [string, string?]
  const parse = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)))
  const [first, last] = [parse(head), parse(tail ?? "")]
  return tail === undefined ? first : [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
}
