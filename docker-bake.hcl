# Builds both images for both architectures:
#   docker buildx bake --file docker-bake.hcl --push                                  (pushes to the registry of IMAGE)
#   docker buildx bake --file docker-bake.hcl --load --set '*.platform=linux/amd64'   (only for this machine)

variable "IMAGE" {
  default = "codexlb"
}

# The version without a "v". If empty, the version comes from package.json, and the only tag is "local".
variable "VERSION" {
  default = ""
}

# The commit's 12 digits.
variable "COMMIT" {
  default = ""
}

# The day of the commit, such as 2026-01-31.
variable "DATE" {
  default = ""
}

# The address of the sources, such as https://github.com/OWNER/NAME.
variable "SOURCE" {
  default = ""
}

variable "CODEX_NPM_VERSION" {
  default = "latest"
}

# A version with a hyphen is a prerelease, which does not get the tag "latest".
function "tags" {
  params = [image]
  result = VERSION == "" ? ["${image}:local"] : concat(
    ["${image}:${VERSION}"],
    length(regexall("-", VERSION)) == 0 ? ["${image}:latest"] : [],
  )
}

group "default" {
  targets = ["proxy", "login"]
}

target "common" {
  context   = "."
  platforms = ["linux/amd64", "linux/arm64"]
  args = {
    VERSION = VERSION
    COMMIT  = COMMIT
    DATE    = DATE
  }
  labels = {
    for name, value in { source = SOURCE, version = VERSION, revision = COMMIT } :
    "org.opencontainers.image.${name}" => value if value != ""
  }
  attest = ["type=provenance,mode=max", "type=sbom"]
}

target "proxy" {
  inherits = ["common"]
  target   = "proxy"
  tags     = tags(IMAGE)
  args = {
    CODEX_NPM_VERSION = CODEX_NPM_VERSION
  }
}

target "login" {
  inherits = ["common"]
  target   = "login"
  tags     = tags("${IMAGE}-login")
}
