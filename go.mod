module github.com/opengovsg/latchkey

go 1.26

require (
	github.com/maypok86/otter/v2 v2.4.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/crypto v0.54.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
