import { useSearchParams } from "wouter";
import { bytes } from "../../api/format";
import { artifactAddress, useArtifacts, type Artifact, type Run } from "../../api/mlflow";
import { Card, Empty } from "../../parts/Basics";
import { Icon } from "../../parts/Icon";
import { Loaded } from "../../parts/Loaded";
import { Preview } from "./Preview";

/** The run's files: folders in the address, a preview beside them. */
export function Artifacts({ run }: { run: Run }) {
  const [search, setSearch] = useSearchParams();
  const folder = search.get("folder") ?? "";
  const file = search.get("file") ?? "";
  const open = (changes: { folder?: string; file?: string }) => setSearch({ tab: "artifacts", ...(changes.folder ? { folder: changes.folder } : {}), ...(changes.file ? { file: changes.file } : {}) });
  const list = useArtifacts(run.info.run_id, folder);
  return (
    <div className="grid">
      <div className="span-5">
        <Card title={<Trail folder={folder} open={(target) => open({ folder: target })} />} flush>
          <Loaded query={list}>
            {(files) =>
              files.length ? (
                <ul className="feed">
                  {files.map((item) => (
                    <Line key={item.path} item={item} chosen={item.path === file} onOpen={() => open(item.is_dir ? { folder: item.path } : { folder, file: item.path })} />
                  ))}
                </ul>
              ) : (
                <Empty title="No files here" code={'mlflow.log_artifact("report.html")'} />
              )
            }
          </Loaded>
        </Card>
      </div>
      <div className="span-7">{file && <Preview key={file} path={file} address={artifactAddress(run, file)} size={Number(list.data?.find((item) => item.path === file)?.file_size ?? 0)} />}</div>
    </div>
  );
}

function Line({ item, chosen, onOpen }: { item: Artifact; chosen: boolean; onOpen: () => void }) {
  return (
    <li style={chosen ? { background: "var(--hover)" } : undefined}>
      <span className="muted" style={{ paddingTop: 2 }}>
        <Icon name={item.is_dir ? "folder" : "file"} />
      </span>
      <button type="button" className="linklike" aria-current={chosen || undefined} onClick={onOpen}>
        {item.path.split("/").at(-1)}
      </button>
      <span className="muted num">{item.is_dir ? "" : bytes(Number(item.file_size ?? 0))}</span>
    </li>
  );
}

function Trail({ folder, open }: { folder: string; open: (folder: string) => void }) {
  const parts = folder ? folder.split("/") : [];
  return (
    <span className="row mono small">
      <button type="button" className="linklike" onClick={() => open("")}>
        artifacts
      </button>
      {parts.map((part, at) => (
        <span key={part} className="row">
          /
          <button type="button" className="linklike" onClick={() => open(parts.slice(0, at + 1).join("/"))}>
            {part}
          </button>
        </span>
      ))}
    </span>
  );
}
