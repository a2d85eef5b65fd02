// Writes the SBOM (CycloneDX 1.6), which lists the packages in the executables for vulnerability scanners.

import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import type { ReleaseTarget } from "../targets.ts";
import { runtimeNameOf } from "../targets.ts";
import type { BundledPackage } from "./bundled-packages.ts";
import { HOME_PAGE, releaseUrl } from "./home.ts";

export interface Materials {
  readonly version: string;
  /** The time of the commit, in Unix seconds. */
  readonly seconds: number;
  readonly targets: readonly ReleaseTarget[];
  readonly packages: readonly BundledPackage[];
  readonly bunVersion: string;
  /** The hash of Bun's archive in npm's format, by the platform in the package's name. */
  readonly bunIntegrity: Readonly<Record<string, string>>;
}

/** Returns the SBOM as JSON. The same materials always give the same text. */
export function billOfMaterials(materials: Materials): string {
  const { version, seconds, targets, packages, bunVersion, bunIntegrity } = materials;
  const bom = new Models.Bom();
  const program = new Models.Component(Enums.ComponentType.Application, "codexlb", {
    bomRef: "codexlb",
    version,
    description: "One executable that runs OpenAI's Codex CLI over several ChatGPT accounts of your own",
  });
  program.licenses.add(new Models.SpdxLicense("MIT"));
  program.externalReferences.add(new Models.ExternalReference(HOME_PAGE, Enums.ExternalReferenceType.VCS));
  for (const target of targets)
    program.externalReferences.add(
      new Models.ExternalReference(
        releaseUrl(version, `codexlb-${version}-${target}.tar.gz`),
        Enums.ExternalReferenceType.Distribution,
      ),
    );
  bom.metadata.timestamp = new Date(seconds * 1000);
  bom.metadata.component = program;

  const components = new Map<string, Models.Component>();
  for (const { name, version: locked, integrity, license } of packages) {
    const component = npmComponent(Enums.ComponentType.Library, name, locked, integrity);
    component.licenses.add(new Models.LicenseExpression(license));
    components.set(name, component);
  }
  for (const { name, needs } of packages)
    for (const need of needs) components.get(name)?.dependencies.add(refOf(components, need));
  for (const target of targets) {
    const name = `@oven/bun-${runtimeNameOf(target)}`;
    const integrity = bunIntegrity[runtimeNameOf(target)] ?? "";
    const runtime = npmComponent(Enums.ComponentType.Platform, name, bunVersion, integrity);
    runtime.description = `Bun, the JavaScript runtime in the executable for ${target}`;
    runtime.licenses.add(new Models.SpdxLicense("MIT"));
    components.set(name, runtime);
  }
  for (const component of components.values()) {
    bom.components.add(component);
    program.dependencies.add(component.bomRef);
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

// --- internal ---

function npmComponent(
  type: Enums.ComponentType,
  name: string,
  version: string,
  integrity: string,
): Models.Component {
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  const component = new Models.Component(type, name, { bomRef: purl, version, purl });
  const sha512 = Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
  component.hashes.set(Enums.HashAlgorithm["SHA-512"], sha512);
  return component;
}

function refOf(components: ReadonlyMap<string, Models.Component>, name: string): Models.BomRef {
  return components.get(name)?.bomRef ?? new Models.BomRef(name);
}
