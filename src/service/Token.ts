import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { link, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { TokenRefused } from "./errors.ts"

/** Where the token is when nobody says: one for each user of the machine. */
export const defaultTokenFile = (): string => join(homedir(), ".rtfs-streams", "token")

/** As short as a token may be that somebody else has made: 128 bits as hexadecimal digits. */
const fewestCharacters = 32

/** Who may come with which token. */
export interface Credential {
  /** `owner` for a token without a name. */
  readonly principal: string
  readonly token: string
}

/** How many may share a server. */
const mostPrincipals = 100

/**
 * The tokens in a file that only its owner may read: one, or several with a name in front of each, one a line. The service
 * makes the file with one token where there is none; of two that start at once, one makes it and both use it.
 *
 * **Fails** with `TokenRefused` for a file that others may read, or that holds no token; with what the system says where it
 * can't be read or made.
 */
export const openTokens = async (file: string): Promise<ReadonlyArray<Credential>> => {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  // Under a name of its own and then linked, so that the file is there with all of the token, or not at all.
  const own = `${file}.${randomBytes(8).toString("hex")}`
  if (await isThere(file)) return readTokens(file)
  try {
    await writeFile(own, `${randomBytes(32).toString("base64url")}\n`, { flag: "wx", mode: 0o600, flush: true })
    await link(own, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  } finally {
    await rm(own, { force: true })
  }
  return readTokens(file)
}

/** Those of a service that runs already. **Fails** as `openTokens` does, and where there is no file. */
export const readTokens = async (file: string): Promise<ReadonlyArray<Credential>> => {
  const text = await readFile(file, "utf8")
  const { mode } = await stat(file)
  // Windows has no such bits; there the file is as private as its folder.
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    throw new TokenRefused({
      what: `The token file ${file} may be read by other users (its mode is ${(mode & 0o777).toString(8)})`,
      fix: `Run chmod 600 ${file}, or remove it: rtfs-streams serve then makes a new one.`
    })
  }
  const credentials = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line, index) => credentialOf(file, line, index + 1))
  if (credentials.length === 0) throw noToken(file)
  const names = new Set(credentials.map(({ principal }) => principal))
  if (names.size < credentials.length || credentials.length > mostPrincipals) {
    throw new TokenRefused({
      what: `The token file ${file} must have a name of its own for each token, and at most ${mostPrincipals} of them`,
      fix: "Write a line for each: NAME TOKEN."
    })
  }
  return credentials
}

const credentialOf = (file: string, line: string, number: number): Credential => {
  const words = line.split(/\s+/)
  const token = words.at(-1)!
  if (token.length < fewestCharacters || /[^\x21-\x7e]/.test(token)) throw noToken(file)
  const [principal = token] = words
  if (words.length === 1) return { principal: "owner", token }
  // What is on the line may be a token, so it is not shown.
  if (words.length > 2 || !/^[A-Za-z0-9._-]{1,64}$/.test(principal)) {
    throw new TokenRefused({
      what: `Line ${number} of the token file ${file} is no TOKEN and no NAME TOKEN`,
      fix: 'A name has 1 to 64 of letters, digits, ".", "_" and "-".'
    })
  }
  return { principal, token }
}

const noToken = (file: string): TokenRefused =>
  new TokenRefused({
    what: `The file ${file} holds no token: one is at least ${fewestCharacters} visible ASCII characters`,
    fix: "Remove it: rtfs-streams serve then makes a new one."
  })

/** Says whose token it is, in a time that tells nothing about how much of which was right. */
export const principalOf = (credentials: ReadonlyArray<Credential>): ((presented: string) => string | undefined) => {
  const expected = credentials.map(({ principal, token }) => ({ principal, digest: digest(token) }))
  return (presented) => {
    const given = digest(presented)
    let found: string | undefined
    for (const { digest, principal } of expected) if (timingSafeEqual(given, digest)) found = principal
    return found
  }
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false
  )

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()
