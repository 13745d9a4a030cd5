package batch

import (
	"encoding/json"
	"fmt"
	"path"
)

// ParseManifest reads the manifest of a result. Each file in it stands right below
// the result's prefix, or, of a bulk run, in one of its two folders: whoever
// follows the names gets to no other result's files.
func ParseManifest(raw []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return Manifest{}, err
	}
	for _, f := range m.Files {
		folder, name := path.Split(f.Name)
		inFolder := m.Bulk != nil && (folder == FolderResults+"/" || folder == FolderFailures+"/")
		if name == "" || name == "." || name == ".." || folder != "" && !inFolder {
			return Manifest{}, fmt.Errorf("%q is no file name", f.Name)
		}
	}
	return m, nil
}
