import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { link, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { TokenRefused } from "./errors.ts"

/** Where the token is when nobody says: one for each user of the machine. */
export const defaultTokenFile = (): string => join(homedir(), ".rtfs-streams", "token")

/** As short as a token may be that somebody else has made: 128 bits as hexadecimal digits. */
const fewestCharacters = 32

/**
 * The token in a file that only its owner may read. The service makes the file where there is none; of two that start at
 * once, one makes it and both use it.
 *
 * **Fails** with `TokenRefused` for a file that others may read, or that holds no token; with what the system says where it
 * can't be read or made.
 */
export const openToken = async (file: string): Promise<string> => {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  // Under a name of its own and then linked, so that the file is there with all of the token, or not at all.
  const own = `${file}.${randomBytes(8).toString("hex")}`
  if (await isThere(file)) return readToken(file)
  try {
    await writeFile(own, `${randomBytes(32).toString("base64url")}\n`, { flag: "wx", mode: 0o600, flush: true })
    await link(own, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  } finally {
    await rm(own, { force: true })
  }
  return readToken(file)
}

/** The token of a service that runs already. **Fails** as `openToken` does, and where there is no file. */
export const readToken = async (file: string): Promise<string> => {
  const token = (await readFile(file, "utf8")).trim()
  const { mode } = await stat(file)
  // Windows has no such bits; there the file is as private as its folder.
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    throw new TokenRefused({
      what: `The token file ${file} may be read by other users (its mode is ${(mode & 0o777).toString(8)})`,
      fix: `Run chmod 600 ${file}, or remove it: rtfs-streams serve then makes a new one.`
    })
  }
  if (token.length < fewestCharacters || /[^\x21-\x7e]/.test(token)) {
    throw new TokenRefused({
      what: `The file ${file} holds no token: one is at least ${fewestCharacters} visible ASCII characters`,
      fix: "Remove it: rtfs-streams serve then makes a new one."
    })
  }
  return token
}

/** Says whether a token is the right one, in a time that tells nothing about how much of it was right. */
export const tokenCheck = (token: string): ((presented: string) => boolean) => {
  const expected = digest(token)
  return (presented) => timingSafeEqual(digest(presented), expected)
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false
  )

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()
