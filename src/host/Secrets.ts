import { InvalidHostOption } from "./HostOptions.ts"
import { PermissionDenied } from "./errors.ts"

/** What takes the place of a secret in the text of a program. */
const reference = /\{\{secret:([^{}]*)\}\}/g

/** Shorter ones could not be told from other text where they have to be hidden. */
const shortest = 4

/**
 * Secrets that programs name and never see.
 *
 * **Fails** by throwing `InvalidHostOption`, without showing a value.
 */
export class Secrets {
  readonly #values: ReadonlyMap<string, string>
  /** Each form in which a secret may come back, the longest first, and what is shown instead. */
  readonly #forms: ReadonlyArray<readonly [form: string, name: string]>

  constructor(values: Readonly<Record<string, string>> = {}) {
    for (const [name, value] of Object.entries(values)) {
      if (!/^[A-Za-z0-9._-]{1,128}$/.test(name)) {
        throw new InvalidHostOption(`secrets.${name}`, 'must be named with 1 to 128 of letters, digits, ".", "_" and "-"')
      }
      if (typeof value !== "string" || value.length < shortest) {
        throw new InvalidHostOption(`secrets.${name}`, `must be text of at least ${shortest} characters`)
      }
    }
    this.#values = new Map(Object.entries(values))
    const forms = [...this.#values].flatMap(([name, value]) =>
      [...new Set([value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1), Buffer.from(value).toString("base64")])].map(
        (form) => [form, name] as const
      )
    )
    this.#forms = forms.sort(([a], [b]) => b.length - a.length)
  }

  /** **Fails** by throwing `PermissionDenied` for a name that there is not. */
  readonly reveal = (text: string, encode: (secret: string) => string = (secret) => secret): string =>
    text.replaceAll(reference, (_, name: string) => {
      const value = this.#values.get(name)
      if (value !== undefined) return encode(value)
      throw new PermissionDenied({
        what: `there is no secret ${JSON.stringify(name)}`,
        remedy: "give it with --secret NAME, which takes it from the environment (the host's option secrets)"
      })
    })

  readonly conceal = (text: string): string =>
    this.#forms.reduce((shown, [form, name]) => shown.replaceAll(form, () => `{{secret:${name}}}`), text)
}
