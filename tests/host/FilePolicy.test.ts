import { execFileSync } from "node:child_process"
import { closeSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type FileGrants, makeFileAccess } from "../../src/host/FilePolicy.ts"

const top = realpathSync(mkdtempSync(join(tmpdir(), "rtfs-policy-")))
const granted = join(top, "granted")
const sibling = join(top, "granted-not")

beforeAll(() => {
  mkdirSync(join(granted, "sub"), { recursive: true })
  mkdirSync(sibling)
  writeFileSync(join(granted, "in.txt"), "in")
  writeFileSync(join(granted, "sub", "deep.txt"), "deep")
  writeFileSync(join(sibling, "out.txt"), "out")
  symlinkSync(sibling, join(granted, "escape"))
  symlinkSync(join(sibling, "out.txt"), join(granted, "escape.txt"))
  symlinkSync(join(sibling, "not-yet.txt"), join(granted, "dangling.txt"))
  symlinkSync("in.txt", join(granted, "link.txt"))
  symlinkSync("loop", join(granted, "loop"))
  symlinkSync(granted, join(top, "alias"))
  execFileSync("mkfifo", [join(granted, "pipe")])
})
afterAll(() => rmSync(top, { recursive: true }))

const tagOf = (error: unknown): unknown => (error as { readonly _tag?: string })._tag

/** What reading a path comes to: the content, or the tag of the failure. */
const read = (grants: FileGrants, path: string): Promise<unknown> =>
  Effect.runPromise(makeFileAccess(grants).openForReading(path)).then(({ fd, size }) => {
    const content = readFileSync(fd, "utf8")
    closeSync(fd)
    expect(size).toBe(content.length)
    return content
  }, tagOf)

const write = (grants: FileGrants, path: string): Promise<unknown> =>
  Effect.runPromise(makeFileAccess(grants).resolveForWriting(path)).catch(tagOf)

const messageOf = (grants: FileGrants, path: string): Promise<string> =>
  Effect.runPromise(makeFileAccess(grants).openForReading(path)).then(
    () => "opened",
    (error: Error) => error.message
  )

describe("FilePolicy", () => {
  it("grants nothing unless told to", async () => {
    expect(await read({}, join(granted, "in.txt"))).toBe("PermissionDenied")
    expect(await write({}, join(granted, "new.txt"))).toBe("PermissionDenied")
    expect(await write({ read: [granted] }, join(granted, "new.txt"))).toBe("PermissionDenied")
    expect(await read({ write: [granted] }, join(granted, "in.txt"))).toBe("PermissionDenied")
  })

  it("opens what is below a granted folder, and a granted file", async () => {
    expect(await read({ read: [granted] }, join(granted, "in.txt"))).toBe("in")
    expect(await read({ read: [granted] }, join(granted, "sub/../sub/./deep.txt"))).toBe("deep")
    expect(await read({ read: [join(granted, "in.txt")] }, join(granted, "in.txt"))).toBe("in")
    expect(await read({ read: [join(granted, "in.txt")] }, join(granted, "sub/deep.txt"))).toBe("PermissionDenied")
    expect(await write({ write: [granted] }, join(granted, "new.txt"))).toBe(join(granted, "new.txt"))
    expect(await write({ write: [join(granted, "new.txt")] }, join(granted, "new.txt"))).toBe(join(granted, "new.txt"))
  })

  it("follows links inside, whether they stand in the grant or in the path", async () => {
    expect(await read({ read: [granted] }, join(granted, "link.txt"))).toBe("in")
    expect(await read({ read: [join(top, "alias")] }, join(granted, "in.txt"))).toBe("in")
    expect(await read({ read: [granted] }, join(top, "alias", "in.txt"))).toBe("in")
    expect(await write({ write: [granted] }, join(granted, "link.txt"))).toBe(join(granted, "in.txt"))
  })

  it.each([
    ["dots", "sub/../../granted-not/out.txt"],
    ["a link to a folder", "escape/out.txt"],
    ["a link to a file", "escape.txt"],
    ["a folder whose name begins alike", "../granted-not/out.txt"]
  ])("refuses to leave through %s", async (_, path) => {
    expect(await read({ read: [granted] }, `${granted}/${path}`)).toBe("PermissionDenied")
    expect(await write({ write: [granted] }, `${granted}/${path}`)).toBe("PermissionDenied")
  })

  it("reads dots before links, so that they can't climb out of where a link leads", async () => {
    expect(await read({ read: [granted] }, `${granted}/escape/../in.txt`)).toBe("in")
    expect(await read({ read: [granted] }, `${granted}/escape/../granted-not/out.txt`)).toBe("FileFailure")
  })

  it("does not create files through links that lead nowhere yet", async () => {
    expect(await write({ write: [granted] }, join(granted, "dangling.txt"))).toBe("FileFailure")
    expect(await write({ write: [granted] }, join(granted, "escape/new.txt"))).toBe("PermissionDenied")
    expect(await read({ read: [granted] }, join(granted, "loop"))).toBe("FileFailure")
  })

  it("does not tell whether a file outside exists", async () => {
    const there = await messageOf({ read: [granted] }, join(sibling, "out.txt"))
    const missing = await messageOf({ read: [granted] }, join(sibling, "nothing.txt"))
    expect(missing.replace("nothing.txt", "out.txt")).toBe(there)
    expect(there).toContain("--allow-read")
  })

  it("refuses what is no regular file, without waiting for it", async () => {
    expect(await read({ read: [granted] }, join(granted, "pipe"))).toBe("FileFailure")
    expect(await write({ write: [granted] }, join(granted, "pipe"))).toBe("FileFailure")
    expect(await read({ read: [granted] }, granted)).toBe("FileFailure")
    expect(await write({ write: [granted] }, join(granted, "sub"))).toBe("FileFailure")
    expect(await read({ all: true }, "/dev/zero")).toBe("FileFailure")
    expect(await write({ all: true }, "/dev/null")).toBe("FileFailure")
  })

  it("keeps the kernel's views closed even when everything is granted", async () => {
    expect(await read({ all: true }, "/proc/self/environ")).toBe("PermissionDenied")
    expect(await read({ read: ["/"] }, "/proc/self/root/proc/self/environ")).toBe("PermissionDenied")
    expect(await read({ read: [granted] }, `/proc/self/root${sibling}/out.txt`)).toBe("PermissionDenied")
  })

  it("refuses NUL, nothing, and a slash at the end", async () => {
    expect(await read({ all: true }, `${granted}/in.txt\0.png`)).toBe("FileFailure")
    expect(await read({ all: true }, "")).toBe("FileFailure")
    expect(await read({ all: true }, `${granted}/in.txt/`)).toBe("FileFailure")
    expect(await write({ all: true }, `${granted}/new/`)).toBe("FileFailure")
  })

  it("names what is missing", async () => {
    expect(await messageOf({ read: [granted] }, join(granted, "none.txt"))).toContain("no such file")
    expect(await messageOf({ read: [granted] }, join(granted, "in.txt/x"))).toContain("not a folder")
    expect(await write({ write: [granted] }, join(granted, "no-folder/new.txt"))).toBe("FileFailure")
  })

  it("holds on to what its roots were, not to where their names lead later", async () => {
    const root = join(top, "moving")
    mkdirSync(root)
    writeFileSync(join(root, "a.txt"), "a")
    const access = makeFileAccess({ read: [root] })
    renameSync(root, join(top, "moved"))
    symlinkSync(sibling, root)
    await expect(Effect.runPromise(access.openForReading(join(root, "out.txt")))).rejects.toMatchObject({ _tag: "PermissionDenied" })
  })

  describe("with an fsRoot", () => {
    const inside = (more: FileGrants = {}): FileGrants => ({ fsRoot: granted, ...more })

    it("resolves absolute and relative paths in it, and dots stop at its top", async () => {
      expect(await read(inside(), "/in.txt")).toBe("in")
      expect(await read(inside(), "sub/deep.txt")).toBe("deep")
      expect(await read(inside(), "../../../../in.txt")).toBe("in")
      expect(await read(inside(), join(granted, "in.txt"))).toBe("FileFailure")
      expect(await write(inside(), "/new.txt")).toBe(join(granted, "new.txt"))
    })

    it("lets no link out", async () => {
      expect(await read(inside(), "/escape/out.txt")).toBe("PermissionDenied")
      expect(await read(inside({ all: true }), "/escape.txt")).toBe("PermissionDenied")
      expect(await write(inside({ write: ["/"] }), "/escape/new.txt")).toBe("PermissionDenied")
    })

    it("is narrowed by grants, which are paths in it or the host's paths to what is in it", async () => {
      for (const root of ["/sub", "sub", join(granted, "sub")]) {
        expect(await read(inside({ read: [root] }), "/sub/deep.txt")).toBe("deep")
        expect(await read(inside({ read: [root] }), "/in.txt")).toBe("PermissionDenied")
        expect(await write(inside({ read: [root] }), "/sub/new.txt")).toBe("PermissionDenied")
      }
      expect(await read(inside({ read: ["/"] }), "/in.txt")).toBe("in")
    })

    it("must be a folder", () => {
      expect(() => makeFileAccess({ fsRoot: join(granted, "in.txt") })).toThrow(/policy.fsRoot/)
      expect(() => makeFileAccess({ fsRoot: join(top, "none") })).toThrow(/policy.fsRoot/)
    })
  })
})
