/**
 * An RTFS keyword such as `:ready?` or `:com.acme:v1.0/feed`.
 *
 * Keywords are interned: two keywords of one name are the same object, so `===` compares them. The name has no
 * leading colon and keeps its dots and slashes. As the key of a map a keyword is the property of that name.
 */
export class Keyword {
  readonly name: string

  /** Use `keyword(name)`: only interned instances compare as equal. */
  private constructor(name: string) {
    this.name = name
    Object.freeze(this)
  }

  /** The one keyword of this name. */
  static of(name: string): Keyword {
    const known = interned.get(name)?.deref()
    if (known !== undefined) return known
    const made = new Keyword(name)
    interned.set(name, new WeakRef(made))
    forgotten.register(made, name)
    return made
  }

  toString(): string {
    return `:${this.name}`
  }

  toJSON(): string {
    return `:${this.name}`
  }
}

// Weak, because names may come from hostile data: a stream of ever new keywords must not grow the host.
const interned = new Map<string, WeakRef<Keyword>>()
const forgotten = new FinalizationRegistry<string>((name) => {
  if (interned.get(name)?.deref() === undefined) interned.delete(name)
})

/** The keyword `:name`. */
export const keyword = (name: string): Keyword => Keyword.of(name)

/** Whether a value is a keyword. */
export const isKeyword = (value: unknown): value is Keyword => value instanceof Keyword
