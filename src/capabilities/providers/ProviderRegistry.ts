import type { CapabilityEffect } from "../Capability.ts"
import { BoundExceeded, InvalidCall, UnknownCapability } from "../errors.ts"
import { valuesEqual } from "../../serialization/index.ts"
import { makeOffer, type Offer, type Provider, type ProviderType } from "./Provider.ts"
import { answersTo, compareVersions, parseProviderId } from "./ProviderId.ts"

/** What is looked for; everything that is left out may be anything. */
export interface ProviderFilter {
  /** An id in which `*` stands for any characters: `com.example:*`. */
  readonly id?: string | undefined
  readonly type?: ProviderType | undefined
  /** The output schema of what gives items; the input schema of a sink. */
  readonly schema?: unknown
  /** What it may touch at most. */
  readonly effects?: ReadonlyArray<CapabilityEffect> | undefined
}

const mostProviders = 1000

/**
 * What is offered under ids that hosts and programs choose. That of a program stands above that of its host: what the
 * program registers is gone with it, and it can't take an id of the host.
 *
 * **Bounds** 1000 providers each.
 */
export class ProviderRegistry {
  readonly #own = new Map<string, Offer>()
  readonly #above: ProviderRegistry | undefined

  constructor(above?: ProviderRegistry) {
    this.#above = above
  }

  /** **Fails** by throwing `InvalidCall`, or `BoundExceeded` where there are 1000. A program may replace what it has registered. */
  register(provider: Provider): Offer {
    const offer = makeOffer(provider)
    const isTaken = this.#above === undefined ? this.#own.has(offer.id) : this.#above.has(offer.id)
    if (isTaken) {
      throw new InvalidCall(
        "marketplace.stream.register",
        `can't register ${offer.id}: there is one already. Give yours a version or a name of its own, or unregister that one first.`
      )
    }
    if (!this.#own.has(offer.id) && this.#own.size >= mostProviders) {
      throw new BoundExceeded(
        "marketplace.stream.register",
        `has ${mostProviders} providers already`,
        "Unregister some, or tell instances of one provider apart by its config."
      )
    }
    this.#own.set(offer.id, offer)
    return offer
  }

  /** Whether there was one. Streams that it opened go on. */
  unregister(id: string): boolean {
    return this.#own.delete(id)
  }

  has(id: string): boolean {
    return this.#own.has(id) || this.#above?.has(id) === true
  }

  /**
   * The provider of exactly this id, or the newest version that it leaves open: `com.example:feed` means every version,
   * `com.example:v1:feed` each that begins with 1.
   *
   * **Fails** by throwing `UnknownCapability`, which names the nearest id.
   */
  resolve(id: string): Offer {
    const exact = this.#own.get(id) ?? this.#above?.all().find((offer) => offer.id === id)
    if (exact !== undefined) return exact
    const wanted = parseProviderId(id)
    const all = this.all()
    const found = wanted === undefined ? [] : all.filter((offer) => answersTo(parseProviderId(offer.id)!, wanted))
    const newest = byVersion(found).at(-1)
    if (newest === undefined)
      throw new UnknownCapability(
        id,
        all.map((offer) => offer.id)
      )
    return newest
  }

  all(): ReadonlyArray<Offer> {
    return [...(this.#above?.all() ?? []), ...this.#own.values()]
  }

  /** By name, and of each name the newest first. */
  find(filter: ProviderFilter = {}): ReadonlyArray<Offer> {
    const pattern = filter.id === undefined ? undefined : patternOf(filter.id)
    const found = this.all().filter(
      (offer) =>
        (pattern === undefined || pattern.test(offer.id))
        && (filter.type === undefined || offer.type === filter.type)
        && (filter.schema === undefined || valuesEqual(offer.type === "sink" ? offer.input : offer.output, filter.schema))
        && (filter.effects === undefined || offer.effects.every((effect) => filter.effects!.includes(effect)))
    )
    return byVersion(found)
      .toReversed()
      .toSorted((a, b) => compareText(nameOf(a), nameOf(b)))
  }
}

const byVersion = (offers: ReadonlyArray<Offer>): ReadonlyArray<Offer> =>
  offers.toSorted((a, b) => compareVersions(parseProviderId(a.id)!, parseProviderId(b.id)!))

const nameOf = ({ id }: Offer): string => parseProviderId(id)!.name

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const patternOf = (pattern: string): RegExp => new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll(/\*+/g, ".*")}$`)
