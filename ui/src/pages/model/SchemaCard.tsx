import { bytes } from "../../api/format";
import { useGet } from "../../api/hooks";
import type { VersionDetail } from "../../api/types";
import { Badge, Card, Facts } from "../../parts/Basics";

interface Column {
  name?: string;
  type: string;
  required?: boolean;
  "tensor-spec"?: { dtype: string; shape: number[] };
}

/** What the version takes and gives, and the digest of its sealed files. */
export function SchemaCard({ name, version }: { name: string; version: string }) {
  const detail = useGet<VersionDetail>(`/api/v1/models/${encodeURIComponent(name)}/versions/${version}`);
  if (!detail.data) return null;
  const { schema, version: sealed, files } = detail.data;
  return (
    <Card title="Schema and files">
      <Facts
        items={[
          ["Takes", <Columns key="i" columns={schema?.inputs as Column[] | null} />],
          ["Gives", <Columns key="o" columns={schema?.outputs as Column[] | null} />],
          ["Flavors", schema?.flavors?.join(", ") ?? ""],
          ["Files", `${files.length}, ${bytes(sealed.size)}`],
          ["Digest", <span key="d" className="mono wrap tiny">{sealed.digest}</span>],
        ]}
      />
    </Card>
  );
}

function Columns({ columns }: { columns: Column[] | null | undefined }) {
  if (!columns?.length) return <span className="muted">not described</span>;
  return (
    <span className="row">
      {columns.slice(0, 40).map((column, at) => (
        <Badge key={column.name ?? at} plain>
          {column.name ? `${column.name}: ` : ""}
          {column["tensor-spec"] ? `${column["tensor-spec"].dtype} [${column["tensor-spec"].shape.join(", ")}]` : column.type}
        </Badge>
      ))}
    </span>
  );
}
