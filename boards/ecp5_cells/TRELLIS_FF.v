// A flip-flop. LSR sets or resets it, at the clock and whatever CE says, or at once
// (SRMODE "ASYNC"); GSRN low, the chip's own reset, does so at once. After place-and-route SD says
// where its input comes from: DI, from the table beside it, or M, from the fabric.
module TRELLIS_FF (input CLK, LSR, CE, DI, M, GSRN, output reg Q);
    parameter CEMUX = "1";
    parameter CLKMUX = "CLK";
    parameter LSRMUX = "LSR";
    parameter SRMODE = "LSR_OVER_CE";
    parameter REGSET = "RESET";
    parameter SD = "1";

    wire clock = CLKMUX == "INV" ? ~CLK : CLK;
    wire enable = CEMUX == "INV" ? ~CE : CEMUX == "0" ? 1'b0 : CEMUX == "1" ? 1'b1 : CE;
    wire reset = LSRMUX == "INV" ? ~LSR : LSR;
    wire data = SD == "0" ? M : DI;
    localparam VALUE = REGSET == "SET";

    initial Q = VALUE;
    generate
        if (SRMODE == "ASYNC") begin : at_once
            wire resetn = GSRN & ~reset;
            always @(posedge clock or negedge resetn)
                if (!resetn) Q <= VALUE;
                else if (enable) Q <= data;
        end else begin : at_the_clock
            always @(posedge clock or negedge GSRN)
                if (!GSRN) Q <= VALUE;
                else if (reset) Q <= VALUE;
                else if (enable) Q <= data;
        end
    endgenerate
endmodule
