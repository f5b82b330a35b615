import { QueueFailure } from "./QueueFailure.ts"

/** The ways in which a password is proved; with `plain` the server sees it. */
export const saslMechanisms = { plain: "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512" } as const

export interface KafkaUrl {
  readonly brokers: ReadonlyArray<{ readonly host: string; readonly port: number }>
  readonly isSecure: boolean
  /** What `?ca=` says, for `trustOf`. */
  readonly authority: string | undefined
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  readonly mechanism: (typeof saslMechanisms)[keyof typeof saslMechanisms]
  /** The consumer group of all queues; without it each queue has its own. */
  readonly group: string | undefined
  /** For messages; without credentials. */
  readonly location: string
  /** Takes the credentials out of what a driver says. */
  readonly redacted: (message: string) => string
}

const usualPort = 9092

/**
 * Reads `kafka://USER:PASSWORD@HOST:PORT,HOST:PORT?group=…&sasl=…&ca=…`, or `kafkas://` for TLS. No `URL`, since that has one host.
 *
 * **Fails** by throwing a `QueueFailure`, which shows nothing of the credentials.
 */
export const parseKafkaUrl = (text: string): KafkaUrl => {
  const wrong = (problem: string, fix: string) => new QueueFailure("kafka", problem, { fix, isPassing: false })
  const shape = "Give it as kafka://HOST:PORT,HOST:PORT, or kafkas:// for TLS."
  // The last @ ends the credentials, so that nothing of a password can come to stand for a host.
  const parts = /^(kafkas?):\/\/(?:(.*)@)?([^/?#@]+)(\/[^?#]*)?(?:\?([^#]*))?$/.exec(text)
  if (parts === null) return raise(wrong("has a URL that can't be read", shape))
  const [, scheme, userInfo, hosts = "", path = "", query = ""] = parts
  const brokers = hosts.split(",").map((each) => {
    const [, host, port] =
      /^(\[[\da-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/.exec(each) ?? raise(wrong("has a URL whose hosts can't be read", shape))
    return { host: host!.replaceAll(/[[\]]/g, ""), port: port === undefined ? usualPort : Number(port) }
  })
  if (path.length > 1) throw wrong("has a path in its URL", shape)
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (!["group", "sasl", "ca"].includes(name))
      throw wrong("has a parameter in its URL that it does not know", "There are ?group=NAME, &sasl=MECHANISM and &ca=FILE.")
  }
  const sasl = parameters.get("sasl") ?? "plain"
  if (!Object.hasOwn(saslMechanisms, sasl)) throw wrong("has no such ?sasl=", `There are ${Object.keys(saslMechanisms).join(", ")}.`)
  const credentials = credentialsOf(userInfo)
  if (credentials === undefined && parameters.has("sasl"))
    throw wrong("has ?sasl= and no user in its URL", "Give both as kafka://USER:PASSWORD@HOST.")
  if (credentials?.password === "") throw wrong("has a user and no password in its URL", "Give both as kafka://USER:PASSWORD@HOST.")
  const group = parameters.get("group") ?? undefined
  const authority = parameters.get("ca") ?? undefined
  const secrets = [credentials?.password, userInfo?.slice(userInfo.indexOf(":") + 1)].filter(
    (secret) => secret !== undefined && secret !== ""
  )
  return {
    brokers,
    isSecure: scheme === "kafkas" || authority !== undefined,
    authority,
    credentials,
    mechanism: saslMechanisms[sasl as keyof typeof saslMechanisms],
    group: group === "" ? undefined : group,
    location: `${scheme}://${hosts}${group === undefined ? "" : `?group=${group}`}`,
    redacted: (message) => secrets.reduce((shown: string, secret) => shown.replaceAll(secret!, "***"), message)
  }
}

const credentialsOf = (userInfo: string | undefined): KafkaUrl["credentials"] => {
  if (userInfo === undefined || userInfo === "") return undefined
  const end = userInfo.indexOf(":")
  const [username, password] = end === -1 ? [userInfo, ""] : [userInfo.slice(0, end), userInfo.slice(end + 1)]
  return { username: decoded(username), password: decoded(password) }
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const raise = (error: Error): never => {
  throw error
}
