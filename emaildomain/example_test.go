package emaildomain_test

import (
	"fmt"
	"log"

	"github.com/opengovsg/latchkey/emaildomain"
)

func Example() {
	officers, err := emaildomain.New(".gov.sg")
	if err != nil {
		log.Fatal(err)
	}
	for _, address := range []string{"Siti@Agency.gov.sg", "siti@evilgov.sg"} {
		owner, err := officers.Admit(address)
		if err != nil {
			fmt.Println(err) // tell people what they can do: "Only addresses of a .gov.sg domain may sign in."
			continue
		}
		fmt.Println("mail a code to", owner)
	}
	// Output:
	// mail a code to siti@agency.gov.sg
	// emaildomain: the address is not admitted: its domain is not one of those allowed
}
