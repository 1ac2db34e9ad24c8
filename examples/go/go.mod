module inkgate-example

go 1.19
