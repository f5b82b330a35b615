import type { CapabilityEffect, Touch } from "../capabilities/index.ts"
import { PermissionDenied } from "./errors.ts"
import type { PolicyOptions } from "./PolicyOptions.ts"

/** The flag that grants an effect, for messages. */
const flagFor: Readonly<Partial<Record<CapabilityEffect, (target?: string) => string>>> = {
  ":fs.read": (path = "PATH") => `--allow-read ${path} (policy.read)`,
  ":fs.write": (path = "PATH") => `--allow-write ${path} (policy.write)`,
  ":network": (peer = "HOST:PORT") => `--allow-net ${peer} (policy.net)`,
  ":db": () => "--allow-db URL (policy.db)",
  ":queue": (queue = "NAME") => `--allow-queue ${queue} (policy.queue)`,
  ":mcp": () => "a server of the host (its option mcpServers), or --allow-net HOST:PORT (policy.net)"
}

/** Decides which effects a program may have. Deny by default; which paths in particular is the file access's to check. */
export class Policy {
  readonly #options: PolicyOptions
  readonly #hasMcpServers: boolean

  constructor(options: PolicyOptions = {}, mcpServers: object = {}) {
    this.#options = options
    this.#hasMcpServers = Object.keys(mcpServers).length > 0
  }

  /** Whether an effect is granted at all, for some path or peer. */
  grants(effect: CapabilityEffect): boolean {
    const { all, db, fsRoot, net, queue, read, write } = this.#options
    if (all === true) return true
    switch (effect) {
      case ":print":
      case ":clock":
        // The host decides where lines go, and time is no secret: neither touches anything of others.
        return true
      case ":fs.read":
        return (read?.length ?? 0) > 0 || fsRoot !== undefined
      case ":fs.write":
        return (write?.length ?? 0) > 0 || fsRoot !== undefined
      case ":network":
        return (net?.length ?? 0) > 0
      case ":db":
        return (db?.length ?? 0) > 0
      case ":queue":
        return (queue?.length ?? 0) > 0
      case ":mcp":
        // A server that the host has named, or a feed of a peer that is granted.
        return this.#hasMcpServers || (net?.length ?? 0) > 0
      case ":env":
        return false
    }
  }

  /** **Fails** by throwing `PermissionDenied`, which names the capability, the effect and what would grant it. */
  check(capability: string, effect: CapabilityEffect, target?: string): void {
    if (!this.grants(effect)) throw denied(capability, effect, target)
  }

  /** Whether one queue may be used; `*` among the granted is any. **Fails** by throwing `PermissionDenied`. */
  checkQueue(capability: string, queue: string): void {
    const { all, queue: granted = [] } = this.#options
    if (all !== true && !granted.includes("*") && !granted.includes(queue)) throw denied(capability, ":queue", queue)
  }

  /** The paths that may be touched for an effect, as they were given. */
  roots(effect: Touch["effect"]): ReadonlyArray<string> {
    return effect === ":fs.read"
      ? (this.#options.read ?? [])
      : effect === ":fs.write"
        ? (this.#options.write ?? [])
        : (this.#options.net ?? [])
  }

  /** The databases that may be used, as they were given. */
  get databases(): ReadonlyArray<string> {
    return this.#options.db ?? []
  }

  get all(): boolean {
    return this.#options.all === true
  }

  get fsRoot(): string | undefined {
    return this.#options.fsRoot
  }
}

const denied = (capability: string, effect: CapabilityEffect, target: string | undefined): PermissionDenied => {
  const flag = flagFor[effect]
  return new PermissionDenied({
    what: `:${capability} needs ${effect}${target === undefined ? "" : ` for ${target}`}`,
    remedy: flag === undefined ? "the policy grants no such effect" : `grant it with ${flag(target)}`
  })
}
